import type { Clock } from '@nudge/server-kit';
import { BucketSchedule } from '../services/bucket-schedule.ts';
import type { EngineConnection, WebSocketPeer } from './engine-internals.ts';

/** How long a peer may take to read its last packets, ms. */
const patienceMs = 500;

/** Closes connections: what was written leaves first, a peer that does not take it is cut off. */
export class Closer {
  readonly #clock: Clock;
  readonly #overdue: BucketSchedule<WebSocketPeer>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#overdue = new BucketSchedule(clock, 250, (due) => {
      for (const socket of due) socket.terminate();
    });
  }

  close(conn: EngineConnection): void {
    if (conn.readyState === 'closed') return;
    const { socket } = conn.transport;
    conn.close();
    this.#overdue.add(socket, this.#clock.now() + patienceMs);
  }

  /** Cuts off whoever is left. */
  stop(): void {
    this.#overdue.clear();
  }
}
