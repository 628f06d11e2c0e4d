import type { SessionPolicy } from '@nudge/types';
import { type Clock, systemClock } from '../clock.ts';
import { NudgeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type AppKey, isLive } from './app-key.ts';

/** Apps and their keys as the database has them. */
export interface DirectoryContent {
  readonly apps: readonly { readonly id: string; readonly epoch: number; readonly sessionPolicy?: SessionPolicy | undefined }[];
  readonly keys: readonly AppKey[];
}

/** Times in ms. */
export interface AppDirectoryOptions {
  readonly load: () => Promise<DirectoryContent>;
  /** An app's epoch is another than it was; told before the new one is given out. */
  readonly onEpoch?: () => void;
  readonly refreshMs?: number;
  readonly staleMs?: number;
  readonly clock?: Clock;
  readonly log: Logger;
}

/**
 * Apps and their keys, read again every `refreshMs`. When the last success is older than `staleMs`, a key retired meanwhile would still be
 * accepted: `isFresh` turns false and the edges stop serving.
 */
export class AppDirectory implements AsyncDisposable {
  readonly #options: Required<AppDirectoryOptions>;
  #apps = new Map<string, DirectoryContent['apps'][number]>();
  #keys = new Map<string, AppKey>();
  #fingerprint = '';
  #version = 0;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;
  #flight: Promise<void> | undefined;
  #closed = false;

  constructor(options: AppDirectoryOptions) {
    this.#options = {
      load: options.load,
      onEpoch: options.onEpoch ?? (() => undefined),
      refreshMs: options.refreshMs ?? 5_000,
      staleMs: options.staleMs ?? 10_000,
      clock: options.clock ?? systemClock,
      log: options.log,
    };
  }

  /** Loads once (and rejects when that fails), then keeps itself fresh until disposed. */
  async start(): Promise<void> {
    await this.refresh();
    this.#arm();
  }

  /** Loads now; for whoever has just written an app or a key. Concurrent calls share one load that began after the first of them. */
  refresh(): Promise<void> {
    this.#flight ??= this.#load().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** Generation of the app's database. An app that is not known here is a fault of ours: its tokens are refused before. */
  epochOf(appId: string): number {
    const app = this.#apps.get(appId);
    if (app === undefined) throw new NudgeError('internal', { detail: 'an app without an epoch' });
    return app.epoch;
  }

  hasApp(appId: string): boolean {
    return this.#apps.has(appId);
  }

  /** How many sessions a user of the app may have; undefined where the app says nothing. */
  sessionPolicyOf(appId: string): SessionPolicy | undefined {
    return this.#apps.get(appId)?.sessionPolicy;
  }

  /** The key `kid` of `appId`, unless it is retired. */
  findKey(appId: string, kid: string): AppKey | undefined {
    const key = this.#keys.get(kid);
    return key !== undefined && key.appId === appId && isLive(key, this.#options.clock.now()) ? key : undefined;
  }

  /** The server key `kid`, unless it is retired. */
  serverKey(kid: string): AppKey | undefined {
    const key = this.#keys.get(kid);
    return key?.kind === 'server' && isLive(key, this.#options.clock.now()) ? key : undefined;
  }

  /** The key that mints tokens of the app: its last live `hs256` key by kid. */
  signingKey(appId: string): AppKey | undefined {
    const now = this.#options.clock.now();
    let last: AppKey | undefined;
    for (const key of this.#keys.values()) {
      if (key.appId !== appId || key.kind !== 'hs256' || !isLive(key, now)) continue;
      if (last === undefined || key.kid.localeCompare(last.kid, 'en', { numeric: true }) > 0) last = key;
    }
    return last;
  }

  /** Counts changes of any key: what was derived from keys of another version is to be derived again. */
  get version(): number {
    return this.#version;
  }

  /** Whether the last load is recent enough to act on. */
  isFresh(): boolean {
    // A clock that was set back tells no age: what was read before is not recent.
    return Math.abs(this.#options.clock.now() - this.#loadedAt) <= this.#options.staleMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#flight?.catch((error: unknown) => this.#options.log.debug({ err: error }, 'the last load of app keys failed'));
  }

  async #load(): Promise<void> {
    const askedAt = this.#options.clock.now();
    const { apps, keys } = await this.#options.load();
    this.#loadedAt = askedAt;
    if (apps.some(({ id, epoch }) => (this.#apps.get(id)?.epoch ?? epoch) !== epoch)) this.#options.onEpoch();
    this.#apps = new Map(apps.map((app) => [app.id, app]));
    const fingerprint = JSON.stringify(keys);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    // A kid names its app (`<appId>.<n>`), so one map serves all apps; a key whose kid names another app is not served.
    this.#keys = new Map(keys.filter((key) => key.kid.startsWith(`${key.appId}.`)).map((key) => [key.kid, key]));
    this.#version++;
  }

  #arm(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#options.refreshMs, () => {
      this.refresh().then(
        () => this.#arm(),
        (error: unknown) => {
          this.#options.log.warn({ err: error, fresh: this.isFresh() }, 'app keys could not be read');
          this.#arm();
        },
      );
    });
  }
}
