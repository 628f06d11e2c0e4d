import { NudgeError } from '@nudge/server-kit';
import { FairQueue } from './fair-queue.ts';
import type { Ticket } from './lane.ts';
import { Quarantine } from './quarantine.ts';

/** What a failed call means: a value the database refuses, a lock that was not free in time, or anything else (the outcome may be unknown). */
export type CallFailure = 'data' | 'lock' | 'other';

export interface BatcherOptions<Input, Result> {
  /** One round trip: a result for each input, in order. It either takes effect for all of them or throws. */
  call(inputs: readonly Input[]): Promise<readonly Result[]>;
  appOf(input: Input): string;
  /** What keeps order and is never in two calls at once. */
  conversationOf(input: Input): string;
  /** Whether the input must be the only one of its conversation in a call. */
  standsAlone(input: Input): boolean;
  /** Whether the result asks for the input to be given to the next call: it could not be judged beside the others. */
  isRepeat(result: Result): boolean;
  classify(error: unknown): CallFailure;
  /** Inputs in one call. Beyond about a hundred a call costs as much per input as two. */
  maxBatch: number;
  /** Calls in flight, those of conversations in quarantine aside (at most one suspect and one convicted). */
  maxInFlight: number;
  /** Inputs that must be waiting for a call to begin beside another. */
  worthwhile: number;
  /** Age of the last call, ms, from which one begins beside it for fewer. */
  patienceMs: number;
  /** A clock that only goes forward, ms. */
  now(): number;
  /** Inputs that wait or are in flight; one more is refused with `overloaded`. */
  capacity: number;
  /** Calls of its own in which an input may wait for a lock in vain before it is refused with `overloaded`. */
  maxTimeouts: number;
  /** Runs `fn` once after what arrived together has been added. Not a timer: `setImmediate`, or a test's hand. */
  defer(fn: () => void): void;
}

/**
 * Turns concurrent inputs into few calls without waiting for any: a call takes whatever arrived while the others were in flight.
 *
 * Invariants: every input is answered exactly once; inputs of one conversation take effect in the order in which they were added,
 * because they are never in two calls at once; a call that the database refuses for one input's data is repeated in halves until
 * that input stands alone; a conversation whose lock is not free moves to a lane of its own and delays nobody else.
 */
export class Batcher<Input, Result> {
  readonly #options: BatcherOptions<Input, Result>;
  readonly #queue = new FairQueue<Input, Result>();
  readonly #quarantine = new Quarantine<Input, Result>();
  readonly #isolatedBusy = { suspect: false, convicted: false };
  #inFlight = 0;
  #lastCallAt = 0;
  #unanswered = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions<Input, Result>) {
    this.#options = options;
  }

  /** Inputs not answered yet. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Resolves with the input's own result, or rejects with the error of the last call that held it. */
  add(input: Input): Promise<Result> {
    const { appOf, conversationOf, standsAlone, capacity } = this.#options;
    if (this.#unanswered >= capacity) {
      return Promise.reject(new NudgeError('overloaded', { detail: `${capacity} writes are waiting already`, retryAfterMs: 1_000 }));
    }
    this.#unanswered += 1;
    return new Promise<Result>((resolve, reject) => {
      this.#enqueue({
        input,
        appId: appOf(input),
        conversationId: conversationOf(input),
        alone: standsAlone(input),
        resolve,
        reject,
        timeouts: 0,
      });
      this.#schedule();
    });
  }

  /** Resolves when every input added so far has been answered. */
  idle(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #enqueue(ticket: Ticket<Input, Result>): void {
    if (this.#quarantine.holds(ticket.conversationId)) this.#quarantine.push(ticket);
    else this.#queue.push(ticket);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.defer(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { maxBatch } = this.#options;
    while (this.#queue.ready > 0 && this.#mayCall()) {
      this.#inFlight += 1;
      this.#lastCallAt = this.#options.now();
      void this.#runBatch(this.#queue.take(maxBatch));
    }
    for (const standing of ['suspect', 'convicted'] as const) {
      if (this.#isolatedBusy[standing]) continue;
      const batch = this.#quarantine.take(standing, maxBatch);
      if (batch.length === 0) continue;
      this.#isolatedBusy[standing] = true;
      void this.#runIsolated(batch).finally(() => {
        this.#isolatedBusy[standing] = false;
        this.#pump();
      });
    }
  }

  /**
   * Few large calls cost less than many small ones, so beside a call in flight the next one waits until it is worth it, or until
   * the one in flight takes so long that waiting for it would cost more. Whoever arrives asks again; no timer does.
   */
  #mayCall(): boolean {
    const { maxInFlight, worthwhile, patienceMs, now } = this.#options;
    if (this.#inFlight === 0) return true;
    if (this.#inFlight >= maxInFlight) return false;
    return this.#queue.ready >= worthwhile || now() - this.#lastCallAt >= patienceMs;
  }

  async #runBatch(batch: Ticket<Input, Result>[]): Promise<void> {
    const held = new Set(batch.map((ticket) => ticket.conversationId));
    await this.#attempt(batch, {
      putBack: (tickets) => this.#queue.putBack(tickets),
      locked: (tickets) => {
        for (const [conversationId, own] of byConversation(tickets)) {
          held.delete(conversationId);
          const waiting = this.#queue.withdraw(conversationId);
          this.#quarantine.admit(own[0]?.appId ?? '', conversationId, [...own, ...waiting]);
        }
      },
    });
    for (const conversationId of held) this.#queue.release(conversationId);
    this.#inFlight -= 1;
    this.#pump();
  }

  async #runIsolated(batch: Ticket<Input, Result>[]): Promise<void> {
    const conversationId = batch[0]?.conversationId ?? '';
    let free = true;
    await this.#attempt(batch, {
      putBack: (tickets) => this.#quarantine.putBack(tickets),
      locked: (tickets) => {
        free = false;
        this.#quarantine.putBack(tickets);
      },
    });
    if (free) {
      for (const ticket of this.#quarantine.release(conversationId)) this.#queue.push(ticket);
      return;
    }
    for (const ticket of this.#quarantine.convict(conversationId, this.#options.maxTimeouts)) {
      this.#reject(ticket, new NudgeError('overloaded', { detail: 'The conversation is busy', retryAfterMs: 1_000 }));
    }
  }

  /** Calls with these tickets and answers them, but for those handed to `on`: the ones to repeat, and those whose lock was not free. */
  async #attempt(
    tickets: readonly Ticket<Input, Result>[],
    on: { putBack(tickets: Ticket<Input, Result>[]): void; locked(tickets: readonly Ticket<Input, Result>[]): void },
  ): Promise<void> {
    // An explicit stack instead of recursion: the parts run one after the other, in order, within the slot of the call they came from.
    const parts: (readonly Ticket<Input, Result>[])[] = [tickets];
    const stuck = new Set<string>();
    const repeats: Ticket<Input, Result>[] = [];
    const locked: Ticket<Input, Result>[] = [];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const now = stuck.size === 0 ? part : part.filter((ticket) => !stuck.has(ticket.conversationId));
      if (now.length < part.length) locked.push(...part.filter((ticket) => stuck.has(ticket.conversationId)));
      if (now.length === 0) continue;
      try {
        const results = await this.#options.call(now.map((ticket) => ticket.input));
        repeats.push(...this.#settle(now, results));
      } catch (error) {
        const failure = this.#options.classify(error);
        if (failure === 'data' && now.length > 1) {
          const [first, second] = halves(now);
          parts.push(second, first);
        } else if (failure === 'lock') {
          for (const ticket of now) stuck.add(ticket.conversationId);
          locked.push(...now);
        } else {
          for (const ticket of now) this.#reject(ticket, error);
        }
      }
    }
    for (const own of byConversation(repeats).values()) on.putBack(own);
    if (locked.length > 0) on.locked(locked);
  }

  /** Answers the tickets; returns those to repeat, in order. */
  #settle(tickets: readonly Ticket<Input, Result>[], results: readonly Result[]): Ticket<Input, Result>[] {
    const repeats: Ticket<Input, Result>[] = [];
    const judged = new Set<string>();
    tickets.forEach((ticket, index) => {
      const result = results[index];
      if (result === undefined) {
        this.#reject(ticket, new Error(`the call answered ${results.length} of ${tickets.length} inputs`));
      } else if (!this.#options.isRepeat(result)) {
        judged.add(ticket.conversationId);
        this.#answered();
        ticket.resolve(result);
      } else if (judged.has(ticket.conversationId)) {
        repeats.push(ticket);
      } else {
        // Each call must judge at least the first input of each conversation, or repeating would never end.
        this.#reject(ticket, new Error('the first input of a conversation in a call cannot be a repeat'));
      }
    });
    return repeats;
  }

  #reject(ticket: Ticket<Input, Result>, error: unknown): void {
    this.#answered();
    ticket.reject(error);
  }

  #answered(): void {
    this.#unanswered -= 1;
    if (this.#unanswered > 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

function byConversation<Input, Result>(tickets: readonly Ticket<Input, Result>[]): Map<string, Ticket<Input, Result>[]> {
  return Map.groupBy(tickets, (ticket) => ticket.conversationId);
}

/** Two parts of a failed call: between conversations while there are several, so that each stays in one part; then between inputs. */
function halves<Input, Result>(tickets: readonly Ticket<Input, Result>[]): [Ticket<Input, Result>[], Ticket<Input, Result>[]] {
  const lanes = [...byConversation(tickets).values()];
  if (lanes.length === 1) return [tickets.slice(0, tickets.length >> 1), tickets.slice(tickets.length >> 1)];
  return [lanes.slice(0, lanes.length >> 1).flat(), lanes.slice(lanes.length >> 1).flat()];
}
