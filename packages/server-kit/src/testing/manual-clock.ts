import type { Clock } from '../clock.ts';

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #timers = new Map<number, { at: number; fn: () => void }>();

  /** @param start milliseconds since 1970 */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#order++;
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), fn });
    return () => void this.#timers.delete(id);
  }

  /** Timers that are armed. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the time on by `ms` and runs what falls due on the way, in order, each at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      const [id, timer] = next;
      this.#timers.delete(id);
      this.#now = Math.max(this.#now, timer.at);
      timer.fn();
    }
    this.#now = end;
  }

  #nextDue(end: number): [number, { at: number; fn: () => void }] | undefined {
    let first: [number, { at: number; fn: () => void }] | undefined;
    for (const entry of this.#timers) if (entry[1].at <= end && (first === undefined || entry[1].at < first[1].at)) first = entry;
    return first;
  }
}
