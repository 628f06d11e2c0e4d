import type { Entry, FeedItem, LogName } from '@nudge/types';
import type { Mine } from './view/view.ts';

/** What a device knew when it stopped: where each log stands, under which generation of the database, and the own feed. */
export interface StoredState {
  readonly epoch: number | null;
  readonly since: string | null;
  readonly cursors: ReadonlyMap<LogName, number>;
  /** The newest item of each subject. */
  readonly feed: readonly FeedItem[];
}

/**
 * Where a device keeps what it pulled. Writes return nothing: an implementation over a slow medium writes behind, in the order of the
 * calls, each call as one unit (entries never without their cursor). One storage belongs to one user on one device.
 */
export interface Storage {
  load(): StoredState | Promise<StoredState>;
  saveSync(sync: { epoch: number | null; since: string | null }): void;
  /** Keeps a feed item instead of an earlier one of its subject. Dropping the feed's log forgets them all. */
  saveFeed(log: LogName, item: FeedItem): void;
  /**
   * Entries that follow what is stored, with the new cursor. `newRange`: they do not follow; what was stored can no longer be kept up to
   * date and goes. A feed stores no entries here, only its cursor.
   */
  append(log: LogName, entries: readonly Entry[], cursor: number, newRange: boolean): void;
  /** Entries that end right before those stored. */
  prepend(log: LogName, entries: readonly Entry[]): void;
  /** Stored entries as later ones changed them: content that is gone from them must be gone from here. */
  replace(log: LogName, entries: readonly Entry[]): void;
  /** Entries before `oldestSeq` are no longer visible: they go. */
  trim(log: LogName, oldestSeq: number): void;
  /** The viewer's own reactions on the entries stored. */
  saveMine(log: LogName, mine: Mine): void;
  mine(log: LogName): Mine;
  drop(log: LogName): void;
  /** What is stored, ascending and without a hole. */
  entries(log: LogName): readonly Entry[];
}

interface StoredLog {
  cursor: number;
  entries: Entry[];
  mine: Mine;
}

/** Keeps everything in memory, at most `entriesPerLog` of each log: the oldest go when newer ones arrive. */
export class MemoryStorage implements Storage {
  readonly #logs = new Map<LogName, StoredLog>();
  readonly #feed = new Map<string, FeedItem>();
  readonly #entriesPerLog: number;
  #sync: { epoch: number | null; since: string | null } = { epoch: null, since: null };

  constructor(options: { entriesPerLog?: number } = {}) {
    this.#entriesPerLog = options.entriesPerLog ?? 1_000;
  }

  load(): StoredState {
    return { ...this.#sync, cursors: new Map([...this.#logs].map(([log, { cursor }]) => [log, cursor])), feed: [...this.#feed.values()] };
  }

  saveSync(sync: { epoch: number | null; since: string | null }): void {
    this.#sync = { epoch: sync.epoch, since: sync.since };
  }

  saveFeed(_log: LogName, item: FeedItem): void {
    this.#feed.set(item.subject, item);
  }

  append(log: LogName, entries: readonly Entry[], cursor: number, newRange: boolean): void {
    const stored = this.#logs.get(log) ?? { cursor: 0, entries: [], mine: {} };
    this.#logs.set(log, stored);
    stored.cursor = cursor;
    if (newRange) stored.entries = [];
    for (const entry of entries) stored.entries.push(entry);
    const excess = stored.entries.length - this.#entriesPerLog;
    if (excess > 0) stored.entries.splice(0, excess);
  }

  prepend(log: LogName, entries: readonly Entry[]): void {
    const stored = this.#logs.get(log);
    if (stored !== undefined) stored.entries = [...entries, ...stored.entries];
  }

  replace(log: LogName, entries: readonly Entry[]): void {
    const stored = this.#logs.get(log)?.entries ?? [];
    const first = stored[0]?.seq ?? 0;
    for (const entry of entries) if (stored[entry.seq - first] !== undefined) stored[entry.seq - first] = entry;
  }

  trim(log: LogName, oldestSeq: number): void {
    const stored = this.#logs.get(log);
    if (stored !== undefined) stored.entries = stored.entries.filter(({ seq }) => seq >= oldestSeq);
  }

  saveMine(log: LogName, mine: Mine): void {
    const stored = this.#logs.get(log);
    if (stored !== undefined) stored.mine = mine;
  }

  mine(log: LogName): Mine {
    return this.#logs.get(log)?.mine ?? {};
  }

  drop(log: LogName): void {
    this.#logs.delete(log);
    if (log.startsWith('u/')) this.#feed.clear();
  }

  entries(log: LogName): readonly Entry[] {
    return [...(this.#logs.get(log)?.entries ?? [])];
  }
}
