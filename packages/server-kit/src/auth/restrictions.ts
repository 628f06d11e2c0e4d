import { type Clock, systemClock } from '../clock.ts';
import { NudgeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Revocations } from '../ports/revocations.ts';
import type { Identity } from './identity.ts';

/** What stands against a user. Times in ms since 1970; `Infinity` is for ever, null is nothing. */
export interface Restriction {
  readonly appId: string;
  readonly userId: string;
  /** Tokens issued before are refused. */
  readonly validAfter: number | null;
  readonly bannedUntil: number | null;
}

/** Reads what has changed since a time of the database's clock (ms); with null everything in force. `readAt` is that clock before the read. */
export type LoadRestrictions = (since: number | null) => Promise<{ readonly rows: readonly Restriction[]; readonly readAt: number }>;

/** Times in ms. */
export interface RestrictionsOptions {
  readonly load: LoadRestrictions;
  readonly refreshMs?: number;
  readonly staleMs?: number;
  /**
   * How far before the last read the next one begins: a change may become visible as late after its time as a statement may take
   * (`statement_timeout`, 10 s), and a database that took over may have a clock a little behind.
   */
  readonly overlapMs?: number;
  /** Longest life of a token; a cut-off older than that speaks against nobody. */
  readonly tokenLifetimeMs: number;
  readonly clock?: Clock;
  readonly log: Logger;
}

type Held = Pick<Restriction, 'validAfter' | 'bannedUntil'>;
type Listener = (appId: string, userId: string, validAfter: number) => void;

/** How often what is over is forgotten, ms. */
const sweepMs = 600_000;

/**
 * Tokens taken back and users banned from the app, as the primary has them: all of it in memory, read again every `refreshMs` as far as it has
 * changed. Nothing here needs the bus, so a revocation holds everywhere within seconds whatever else is down; and when the last success is
 * older than `staleMs` nobody is let in, since a token may have been taken back meanwhile. About 150 bytes a restricted user.
 */
export class Restrictions implements Revocations, AsyncDisposable {
  readonly #options: Required<RestrictionsOptions>;
  readonly #held = new Map<string, Held>();
  readonly #listeners = new Set<Listener>();
  #since: number | null = null;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;
  #flight: Promise<void> | undefined;
  #closed = false;

  constructor(options: RestrictionsOptions) {
    const { refreshMs = 5_000, staleMs = 10_000, overlapMs = 30_000, clock = systemClock } = options;
    this.#options = { ...options, refreshMs, staleMs, overlapMs, clock };
  }

  /** Loads once (and rejects when that fails), then keeps itself fresh until disposed. */
  async start(): Promise<void> {
    await this.refresh();
    this.#arm();
  }

  /** Reads what has changed. Concurrent calls share one read. */
  refresh(): Promise<void> {
    this.#flight ??= this.#load().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** Forgets everything and reads what is in force: the database is another than before. */
  async reload(): Promise<void> {
    await this.#flight?.catch((error: unknown) => this.#options.log.debug({ err: error }, 'revocations could not be read'));
    this.#since = null;
    this.#held.clear();
    await this.refresh();
  }

  /** Takes what was just written, before it is read. */
  apply({ appId, userId, validAfter, bannedUntil }: Restriction): void {
    const key = keyOf(appId, userId);
    const before = this.#held.get(key);
    if (before?.validAfter === validAfter && before.bannedUntil === bannedUntil) return;
    if (validAfter === null && bannedUntil === null) this.#held.delete(key);
    else this.#held.set(key, { validAfter, bannedUntil });
    const banned = bannedUntil !== null && bannedUntil > this.#options.clock.now();
    // A ban takes all tokens, those still to be issued too.
    if (banned) this.#tell(appId, userId, Number.POSITIVE_INFINITY);
    else if (validAfter !== null && validAfter > (before?.validAfter ?? Number.NEGATIVE_INFINITY)) this.#tell(appId, userId, validAfter);
  }

  isRevoked(appId: string, userId: string, issuedAt: number): boolean {
    if (this.#held.size === 0) return false;
    const validAfter = this.#held.get(keyOf(appId, userId))?.validAfter ?? null;
    return validAfter !== null && issuedAt < validAfter;
  }

  /** Throws a {@link NudgeError} `user_banned`. */
  judge({ appId, userId }: Pick<Identity, 'appId' | 'userId'>): void {
    if (this.#held.size === 0) return;
    const bannedUntil = this.#held.get(keyOf(appId, userId))?.bannedUntil ?? null;
    if (bannedUntil !== null && bannedUntil > this.#options.clock.now()) throw new NudgeError('user_banned');
  }

  onChange(listener: Listener): () => void {
    const own: Listener = (appId, userId, validAfter) => listener(appId, userId, validAfter);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  isFresh(): boolean {
    // A clock that was set back tells no age: what was read before is not recent.
    return Math.abs(this.#options.clock.now() - this.#loadedAt) <= this.#options.staleMs;
  }

  /** Users with anything against them. */
  get size(): number {
    return this.#held.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#listeners.clear();
    await this.#flight?.catch((error: unknown) => this.#options.log.debug({ err: error }, 'the last read of revocations failed'));
  }

  async #load(): Promise<void> {
    const { load, overlapMs, clock } = this.#options;
    const askedAt = clock.now();
    const { rows, readAt } = await load(this.#since);
    for (const row of rows) this.apply(row);
    this.#since = readAt - overlapMs;
    this.#loadedAt = askedAt;
    this.#sweep(askedAt);
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepMs) return;
    this.#sweptAt = now;
    for (const [key, { validAfter, bannedUntil }] of this.#held) {
      const over = (validAfter ?? Number.NEGATIVE_INFINITY) < now - this.#options.tokenLifetimeMs;
      if (over && (bannedUntil ?? Number.NEGATIVE_INFINITY) <= now) this.#held.delete(key);
    }
  }

  #tell(appId: string, userId: string, validAfter: number): void {
    for (const listener of this.#listeners) {
      try {
        listener(appId, userId, validAfter);
      } catch (error) {
        this.#options.log.error({ err: error }, 'a listener to revocations failed');
      }
    }
  }

  #arm(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#options.refreshMs, () => {
      this.refresh().then(
        () => this.#arm(),
        (error: unknown) => {
          this.#options.log.warn({ err: error, fresh: this.isFresh() }, 'revocations could not be read');
          this.#arm();
        },
      );
    });
  }
}

const keyOf = (appId: string, userId: string): string => `${appId}/${userId}`;
