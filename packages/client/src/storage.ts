import type { Entry, LogName } from '@nudge/types';

/** What a device knew when it stopped: where each log stands, and under which generation of the database. */
export interface StoredState {
  readonly epoch: number | null;
  readonly since: string | null;
  readonly cursors: ReadonlyMap<LogName, number>;
}

/**
 * Where a device keeps what it pulled. Writes return nothing: an implementation over a slow medium writes behind, in the order of the
 * calls, each call as one unit (entries never without their cursor). One storage belongs to one user on one device.
 */
export interface Storage {
  load(): StoredState | Promise<StoredState>;
  saveSync(sync: { epoch: number | null; since: string | null }): void;
  /**
   * Entries that follow what is stored, with the new cursor. `newRange`: they do not follow, a hole lies before them; the old range
   * is kept. A feed stores no entries here, only its cursor.
   */
  append(log: LogName, entries: readonly Entry[], cursor: number, newRange: boolean): void;
  /** Entries that end right before the newest range; they extend it, and join it with an older range they reach. */
  prepend(log: LogName, entries: readonly Entry[]): void;
  drop(log: LogName): void;
  /** The newest range, ascending and without a hole. */
  entries(log: LogName): readonly Entry[];
}

interface StoredLog {
  cursor: number;
  /** Ranges without a hole in them, ascending; a hole lies between any two. Only the last can be empty. */
  ranges: Entry[][];
}

/** Keeps everything in memory, at most `entriesPerLog` of each log: the oldest go when newer ones arrive. */
export class MemoryStorage implements Storage {
  readonly #logs = new Map<LogName, StoredLog>();
  readonly #entriesPerLog: number;
  #sync: { epoch: number | null; since: string | null } = { epoch: null, since: null };

  constructor(options: { entriesPerLog?: number } = {}) {
    this.#entriesPerLog = options.entriesPerLog ?? 1_000;
  }

  load(): StoredState {
    return { ...this.#sync, cursors: new Map([...this.#logs].map(([log, { cursor }]) => [log, cursor])) };
  }

  saveSync(sync: { epoch: number | null; since: string | null }): void {
    this.#sync = { epoch: sync.epoch, since: sync.since };
  }

  append(log: LogName, entries: readonly Entry[], cursor: number, newRange: boolean): void {
    const stored = this.#logs.get(log) ?? { cursor: 0, ranges: [[]] };
    this.#logs.set(log, stored);
    stored.cursor = cursor;
    if (newRange && stored.ranges.at(-1)?.length !== 0) stored.ranges.push([]);
    const newest = stored.ranges.at(-1);
    if (newest === undefined) return;
    for (const entry of entries) newest.push(entry);
    this.#trim(stored);
  }

  prepend(log: LogName, entries: readonly Entry[]): void {
    const stored = this.#logs.get(log);
    const newest = stored?.ranges.pop();
    if (stored === undefined || newest === undefined) return;
    const older = stored.ranges.at(-1);
    const joint = older?.at(-1)?.seq;
    const first = entries[0]?.seq;
    if (older !== undefined && joint !== undefined && first !== undefined && first <= joint + 1) {
      stored.ranges.pop();
      stored.ranges.push([...older, ...entries.filter((entry) => entry.seq > joint), ...newest]);
    } else {
      stored.ranges.push([...entries, ...newest]);
    }
  }

  drop(log: LogName): void {
    this.#logs.delete(log);
  }

  entries(log: LogName): readonly Entry[] {
    return [...(this.#logs.get(log)?.ranges.at(-1) ?? [])];
  }

  #trim(stored: StoredLog): void {
    let excess = stored.ranges.reduce((sum, range) => sum + range.length, 0) - this.#entriesPerLog;
    while (excess > 0) {
      const [oldest] = stored.ranges;
      if (oldest === undefined) return;
      const cut = Math.min(excess, oldest.length);
      excess -= cut;
      if (cut === oldest.length && stored.ranges.length > 1) stored.ranges.shift();
      else oldest.splice(0, cut);
    }
  }
}
