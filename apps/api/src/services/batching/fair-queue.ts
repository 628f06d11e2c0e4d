import { Fifo } from './fifo.ts';
import { Lane, type Ticket } from './lane.ts';

/** Tickets one conversation puts into a batch before the others have had their turn. */
const QUANTUM = 8;

interface ReadyApp<Input, Result> {
  readonly appId: string;
  readonly lanes: Fifo<Lane<Input, Result>>;
}

/**
 * Waiting tickets by conversation. A batch takes from the apps in turn, within an app from its conversations in turn, so that neither
 * a busy tenant nor a busy conversation delays the others. A conversation that gave to a batch is held until that batch is released:
 * its tickets are never in two calls at once.
 */
export class FairQueue<Input, Result> {
  readonly #lanes = new Map<string, Lane<Input, Result>>();
  readonly #apps = new Map<string, ReadyApp<Input, Result>>();
  readonly #turns = new Fifo<ReadyApp<Input, Result>>();
  #ready = 0;

  /** Tickets that a batch could take now: those whose conversation is not held. */
  get ready(): number {
    return this.#ready;
  }

  push(ticket: Ticket<Input, Result>): void {
    let lane = this.#lanes.get(ticket.conversationId);
    if (lane === undefined) {
      lane = new Lane(ticket.appId, ticket.conversationId);
      this.#lanes.set(ticket.conversationId, lane);
    }
    lane.tickets.push(ticket);
    if (lane.held) return;
    if (lane.tickets.length === 1) this.#makeReady(lane);
    else this.#ready += 1;
  }

  /** Puts tickets of one held conversation back in front of those that wait. */
  putBack(tickets: readonly Ticket<Input, Result>[]): void {
    const first = tickets[0];
    if (first !== undefined) this.#lanes.get(first.conversationId)?.tickets.unshift(tickets);
  }

  /** Takes up to `max` tickets and holds their conversations, each of which the caller must release or withdraw. */
  take(max: number): Ticket<Input, Result>[] {
    const batch: Ticket<Input, Result>[] = [];
    const again = new Fifo<{ lane: Lane<Input, Result>; given: number }>();
    while (batch.length < max) {
      const lane = this.#nextLane();
      if (lane === undefined) break;
      this.#give(lane, batch, max, 0, again);
    }
    while (batch.length < max) {
      const turn = again.shift();
      if (turn === undefined) break;
      this.#give(turn.lane, batch, max, turn.given, again);
    }
    return batch;
  }

  release(conversationId: string): void {
    const lane = this.#lanes.get(conversationId);
    if (lane === undefined) return;
    lane.held = false;
    if (lane.tickets.length > 0) this.#makeReady(lane);
    else this.#lanes.delete(conversationId);
  }

  /** Takes a held conversation out of the queue with all its waiting tickets. */
  withdraw(conversationId: string): Ticket<Input, Result>[] {
    const lane = this.#lanes.get(conversationId);
    this.#lanes.delete(conversationId);
    return lane?.tickets.drain() ?? [];
  }

  #give(
    lane: Lane<Input, Result>,
    batch: Ticket<Input, Result>[],
    max: number,
    given: number,
    again: Fifo<{ lane: Lane<Input, Result>; given: number }>,
  ): void {
    lane.held = true;
    const before = batch.length;
    const more = lane.moveTo(batch, Math.min(QUANTUM, max - before), given);
    if (more) again.push({ lane, given: given + batch.length - before });
  }

  #makeReady(lane: Lane<Input, Result>): void {
    let app = this.#apps.get(lane.appId);
    if (app === undefined) {
      app = { appId: lane.appId, lanes: new Fifo() };
      this.#apps.set(lane.appId, app);
      this.#turns.push(app);
    }
    app.lanes.push(lane);
    this.#ready += lane.tickets.length;
  }

  #nextLane(): Lane<Input, Result> | undefined {
    const app = this.#turns.shift();
    const lane = app?.lanes.shift();
    if (app === undefined || lane === undefined) return undefined;
    this.#ready -= lane.tickets.length;
    if (app.lanes.length > 0) this.#turns.push(app);
    else this.#apps.delete(app.appId);
    return lane;
  }
}
