import type { Redis } from 'ioredis';
import { withDeadline } from './deadline.ts';
import { type RedisTimings, retryDelayMs } from './timings.ts';

export interface LifelineOptions {
  /** A new client that is not connected and does not reconnect by itself. */
  readonly open: () => Redis;
  readonly timings: RedisTimings;
  /** A new connection can be used. */
  readonly onReady: (client: Redis) => void;
  /** The connection that was ready is gone. */
  readonly onDown: () => void;
  /** An attempt failed or a connection broke. */
  readonly onError: (error: unknown) => void;
}

/**
 * One connection, replaced whenever it ends. Each attempt is a new client: nothing that waited for a dead connection is sent on the next, and
 * a half-open one is left behind at once.
 */
export class Lifeline implements Disposable {
  readonly #options: LifelineOptions;
  #current: Redis | undefined;
  #ready = false;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LifelineOptions) {
    this.#options = options;
  }

  /** The client that can be used now. */
  get client(): Redis | undefined {
    return this.#ready ? this.#current : undefined;
  }

  start(): void {
    if (this.#closed || this.#current !== undefined) return;
    const { open, timings, onError } = this.#options;
    const client = open();
    this.#current = client;
    client.on('error', onError);
    client.once('end', () => this.#lost(client));
    withDeadline(client.connect(), timings.connectMs).then(
      () => this.#connected(client),
      (error: unknown) => {
        if (this.#current === client) onError(error);
        this.#lost(client);
      },
    );
  }

  /** Leaves the present connection and makes another. */
  restart(): void {
    if (this.#current !== undefined) this.#lost(this.#current);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#current !== undefined) this.#lost(this.#current);
  }

  /** The connection has proved itself: the next failure is tried again soon. */
  proved(): void {
    this.#attempts = 0;
  }

  #connected(client: Redis): void {
    if (this.#current !== client) return;
    this.#ready = true;
    this.#options.onReady(client);
  }

  #lost(client: Redis): void {
    if (this.#current !== client) return;
    const wasReady = this.#ready;
    this.#current = undefined;
    this.#ready = false;
    client.disconnect();
    if (wasReady) this.#options.onDown();
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.start(), retryDelayMs(this.#attempts++, this.#options.timings));
  }
}
