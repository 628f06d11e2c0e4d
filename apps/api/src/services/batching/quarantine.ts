import { Fifo } from './fifo.ts';
import { Lane, type Ticket } from './lane.ts';

/** Convicted conversations remembered while nothing of theirs waits. */
const REMEMBERED = 1_000;

/**
 * suspect: was in a call of many that timed out on a lock. convicted: timed out in a call of its own.
 * Each kind has its own turn, so that the innocent never wait behind the stuck.
 */
type Standing = 'suspect' | 'convicted';

interface Cell<Input, Result> {
  readonly lane: Lane<Input, Result>;
  standing: Standing;
}

/**
 * Conversations with a lane of their own, because a call that held them waited in vain for a lock. They are worked one conversation a
 * call. A suspect that succeeds is released with what waits behind it. A convicted one stays known until it succeeds, so that its
 * next tickets do not delay the others again.
 */
export class Quarantine<Input, Result> {
  readonly #cells = new Map<string, Cell<Input, Result>>();
  readonly #turns = { suspect: new Fifo<Cell<Input, Result>>(), convicted: new Fifo<Cell<Input, Result>>() };

  holds(conversationId: string): boolean {
    return this.#cells.has(conversationId);
  }

  /** Gives a conversation its own lane with these tickets, in order. */
  admit(appId: string, conversationId: string, tickets: readonly Ticket<Input, Result>[]): void {
    const cell: Cell<Input, Result> = { lane: new Lane(appId, conversationId), standing: 'suspect' };
    cell.lane.tickets.unshift(tickets);
    this.#cells.set(conversationId, cell);
    if (tickets.length > 0) this.#turns.suspect.push(cell);
  }

  /** Queues one more ticket of a conversation that is held here. */
  push(ticket: Ticket<Input, Result>): void {
    const cell = this.#cells.get(ticket.conversationId);
    if (cell === undefined) throw new Error('the conversation has no lane of its own');
    cell.lane.tickets.push(ticket);
    if (!cell.lane.held && cell.lane.tickets.length === 1) this.#turns[cell.standing].push(cell);
  }

  /** The next call's tickets of one conversation with this standing; the conversation is held until `released` or `convict`. */
  take(standing: Standing, max: number): Ticket<Input, Result>[] {
    const cell = this.#turns[standing].shift();
    const batch: Ticket<Input, Result>[] = [];
    if (cell === undefined) return batch;
    cell.lane.held = true;
    cell.lane.moveTo(batch, max, 0);
    return batch;
  }

  /** Puts tickets of a held conversation back in front of those that wait. */
  putBack(tickets: readonly Ticket<Input, Result>[]): void {
    const first = tickets[0];
    if (first !== undefined) this.#cells.get(first.conversationId)?.lane.tickets.unshift(tickets);
  }

  /** The conversation is free: forgets it and returns what waited behind it. */
  release(conversationId: string): Ticket<Input, Result>[] {
    const cell = this.#cells.get(conversationId);
    this.#cells.delete(conversationId);
    return cell?.lane.tickets.drain() ?? [];
  }

  /**
   * The conversation timed out alone: every ticket of it has waited once more. Returns those that have waited `maxTimeouts` times and
   * leave; the others keep their order and wait for another turn.
   */
  convict(conversationId: string, maxTimeouts: number): Ticket<Input, Result>[] {
    const cell = this.#cells.get(conversationId);
    if (cell === undefined) return [];
    const leaving: Ticket<Input, Result>[] = [];
    const staying: Ticket<Input, Result>[] = [];
    for (const ticket of cell.lane.tickets.drain()) {
      ticket.timeouts += 1;
      (ticket.timeouts >= maxTimeouts ? leaving : staying).push(ticket);
    }
    cell.lane.tickets.unshift(staying);
    cell.lane.held = false;
    cell.standing = 'convicted';
    if (staying.length > 0) this.#turns.convicted.push(cell);
    this.#forgetOldest();
    return leaving;
  }

  #forgetOldest(): void {
    if (this.#cells.size <= REMEMBERED) return;
    for (const [id, cell] of this.#cells) {
      if (cell.lane.held || cell.lane.tickets.length > 0) continue;
      this.#cells.delete(id);
      return;
    }
  }
}
