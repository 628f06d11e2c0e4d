import { type Clock, NudgeError } from '@nudge/server-kit';
import type { Pair, PullStore, Standing } from '../store/pull-store.ts';
import { Batcher } from './batcher.ts';
import type { Origin } from './origin.ts';
import type { Source } from './page-reader.ts';
import type { TailCache } from './tail-cache.ts';
import type { Ticks } from './ticks.ts';
import { startFor } from './visibility.ts';

/** A user's place in a conversation that the user may read: `start` is the first visible seq. */
export interface Confirmed {
  readonly standing: Standing;
  readonly start: number;
}

interface Answer {
  readonly standing: Standing | undefined;
  readonly origin: Origin;
}

/** What {@link Standings} need. */
export interface StandingsOptions {
  readonly clock: Clock;
  readonly ticks: Ticks;
  readonly cache: TailCache;
  /** Pairs asked by one statement. */
  readonly pairsPerStatement: number;
  /** A statement that takes longer is given up, ms. */
  readonly deadlineMs: number;
}

/** Asks the primary who may read what, and passes what it learns to the cache. Concurrent questions leave in one statement. */
export class Standings {
  readonly #options: StandingsOptions;
  readonly #lanes = new WeakMap<PullStore, Batcher<Pair, Answer>>();

  constructor(options: StandingsOptions) {
    this.#options = options;
  }

  /**
   * The place of one user in one conversation, as the primary has it after this call.
   *
   * @throws NudgeError `not_found` for whoever may see nothing of it
   */
  async confirm(source: Source, appId: string, pair: Pair): Promise<Confirmed> {
    const answer = await this.#lane(source.primary).ask(pair).answer;
    const confirmed = this.#judge(appId, pair, answer);
    if (confirmed === undefined) throw new NudgeError('not_found');
    return confirmed;
  }

  /** The places of one user in many conversations, by one statement; `undefined` where there is nothing to see. */
  async confirmAll(
    source: Source,
    appId: string,
    userId: string,
    conversationIds: readonly string[],
  ): Promise<readonly (Confirmed | undefined)[]> {
    const pairs = conversationIds.map((conversationId) => ({ conversationId, userId }));
    const answers = await this.#send(source.primary, pairs, this.#options.ticks.next());
    return pairs.map((pair, index) => {
      const answer = answers[index];
      return answer === undefined ? undefined : this.#judge(appId, pair, answer);
    });
  }

  #judge(appId: string, { conversationId, userId }: Pair, { standing, origin }: Answer): Confirmed | undefined {
    const start = startFor(standing, appId);
    const tail = this.#options.cache.get(conversationId);
    if (standing !== undefined) tail?.absorbStanding(standing, userId, origin);
    if (standing === undefined || start === undefined) return undefined;
    if (tail === undefined) this.#options.cache.track(conversationId, standing.state);
    return { standing, start };
  }

  #lane(primary: PullStore): Batcher<Pair, Answer> {
    let lane = this.#lanes.get(primary);
    if (lane === undefined) {
      lane = new Batcher({
        send: (pairs, tick) => this.#send(primary, pairs, tick),
        tick: () => this.#options.ticks.next(),
        maxQuestions: this.#options.pairsPerStatement,
        maxInFlight: 1,
        clock: this.#options.clock,
        deadlineMs: this.#options.deadlineMs,
      });
      this.#lanes.set(primary, lane);
    }
    return lane;
  }

  async #send(primary: PullStore, pairs: readonly Pair[], sentTick: number): Promise<readonly Answer[]> {
    const { clock, ticks } = this.#options;
    const sentAt = clock.now();
    const standings = await primary.readStandings(pairs);
    const origin: Origin = { sentTick, arrivedTick: ticks.now(), sentAt, primary: true };
    return standings.map((standing) => ({ standing, origin }));
  }
}
