import type { Clock, Logger } from '@nudge/server-kit';

/** Sessions of a user that were ended from elsewhere: one, or all (of a device, where that is named) that began before `at` but for one. */
export interface SessionKick {
  readonly id: string;
  readonly appId: string;
  readonly userId: string;
  readonly sessionId: string | null;
  readonly exceptId: string | null;
  readonly deviceId: string | null;
  /** ms since 1970, by the database's clock. */
  readonly at: number;
}

/** Reads what was ended since a time of the database's clock (ms); with null only that clock. `readAt` is it before the read. */
export type LoadKicks = (since: number | null) => Promise<{ readonly rows: readonly SessionKick[]; readonly readAt: number }>;

/** Times in ms. */
export interface KickPollOptions {
  readonly load: LoadKicks;
  readonly clock: Clock;
  readonly log: Logger;
  readonly everyMs: number;
  /** How far before the last read the next one begins: a row may become visible as late after its time as a statement may take (10 s). */
  readonly overlapMs?: number;
  /** Once for each. `before`: what began later, by this process's clock, is not meant. */
  readonly onKick: (kick: SessionKick, before: number) => void;
}

/**
 * Ends of sessions as the primary has them, read every few seconds: they hold within 10 s whatever the bus does. The clock of the database is not
 * that of this process: what counts is how long ago something was when it was read.
 */
export class KickPoll {
  readonly #options: Required<KickPollOptions>;
  /** Those done that the next read may bring again -> their time. */
  readonly #done = new Map<string, number>();
  #since: number | null = null;
  #cancel: (() => void) | undefined;
  #flight: Promise<void> | undefined;
  #stopped = false;

  constructor(options: KickPollOptions) {
    this.#options = { overlapMs: 30_000, ...options };
  }

  /** Sessions begin after this: what was ended earlier is of no interest. Rejects when the primary does not answer. */
  async start(): Promise<void> {
    await this.#read();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#flight;
  }

  #arm(): void {
    if (this.#stopped) return;
    const { clock, everyMs, log } = this.#options;
    this.#cancel = clock.after(everyMs, () => {
      this.#flight = this.#read()
        .catch((error: unknown) => log.warn({ err: error }, 'ends of sessions could not be read'))
        .finally(() => this.#arm());
    });
  }

  async #read(): Promise<void> {
    const { load, clock, overlapMs, onKick } = this.#options;
    const { rows, readAt } = await load(this.#since);
    const now = clock.now();
    for (const row of rows) {
      if (this.#done.has(row.id)) continue;
      this.#done.set(row.id, row.at);
      onKick(row, now - Math.max(0, readAt - row.at));
    }
    const since = readAt - overlapMs;
    this.#since = since;
    for (const [id, at] of this.#done) if (at < since) this.#done.delete(id);
  }
}
