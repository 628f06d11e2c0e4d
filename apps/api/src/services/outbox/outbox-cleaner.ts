import type { Clock, Logger } from '@nudge/server-kit';

/** Names an outbox row. */
export interface OutboxKey {
  readonly conversationId: string;
  readonly id: string;
}

export interface OutboxCleanerOptions {
  readonly remove: (rows: readonly OutboxKey[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** How long a finished row may wait for others, ms. Short against the age at which the sweeper takes it up. */
  readonly delayMs: number;
  readonly maxRows: number;
}

/**
 * Deletes outbox rows whose work is done, many in one call. Losing a deletion is harmless: the sweeper finds the row, repeats what it
 * stands for and deletes it.
 */
export class OutboxCleaner {
  readonly #options: OutboxCleanerOptions;
  #rows: OutboxKey[] = [];
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: OutboxCleanerOptions) {
    this.#options = options;
  }

  /** The row has nothing left to do. */
  done(row: OutboxKey): void {
    this.#rows.push(row);
    if (this.#rows.length >= this.#options.maxRows) this.#start();
    else this.#arm();
  }

  /** Resolves when every row named before has been deleted, or its deletion has failed. */
  async flush(): Promise<void> {
    this.#start();
    while (this.#running !== undefined) await this.#running;
  }

  #arm(): void {
    this.#cancel ??= this.#options.clock.after(this.#options.delayMs, () => {
      this.#cancel = undefined;
      this.#start();
    });
  }

  #start(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#rows.length === 0) return;
    // One deletion at a time: what is finished meanwhile makes the next one larger.
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    while (this.#rows.length > 0) {
      const rows = this.#rows.splice(0, this.#options.maxRows);
      try {
        await this.#options.remove(rows);
      } catch (error) {
        this.#options.log.warn({ err: error, rows: rows.length }, 'finished outbox rows stay for the sweeper');
      }
    }
  }
}
