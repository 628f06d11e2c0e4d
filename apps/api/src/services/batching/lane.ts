import { Fifo } from './fifo.ts';

/** One caller's input on its way through the batcher. */
export interface Ticket<Input, Result> {
  readonly input: Input;
  readonly appId: string;
  readonly conversationId: string;
  /** Must be the only input of its conversation in a call. */
  readonly alone: boolean;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  /** Calls that waited in vain for the lock of this ticket's conversation, with no other conversation in them. */
  timeouts: number;
}

/** The waiting tickets of one conversation, in the order in which they came. */
export class Lane<Input, Result> {
  readonly appId: string;
  readonly conversationId: string;
  readonly tickets = new Fifo<Ticket<Input, Result>>();
  /** In a call, or about to be: nothing else of this conversation may be taken, or a later ticket could overtake an earlier one. */
  held = false;

  constructor(appId: string, conversationId: string) {
    this.appId = appId;
    this.conversationId = conversationId;
  }

  /**
   * Moves up to `max` tickets into `batch`, which has `already` of this lane. Returns whether the lane could give more to the same
   * batch: not when it is empty, and not past a ticket that stands alone.
   */
  moveTo(batch: Ticket<Input, Result>[], max: number, already: number): boolean {
    let moved = 0;
    for (let next = this.tickets.peek(); next !== undefined; next = this.tickets.peek()) {
      if (next.alone && already + moved > 0) return false;
      if (moved === max) return true;
      this.tickets.shift();
      batch.push(next);
      moved += 1;
      if (next.alone) return false;
    }
    return false;
  }
}
