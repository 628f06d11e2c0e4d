/// <reference lib="esnext.disposable" preserve="true" />
import type { Entry, LogName, Presence } from '@nudge/types';
import { type Clock, systemClock } from './clock.ts';
import { Emitter } from './emitter.ts';
import { Endpoints } from './endpoints.ts';
import { asNudgeError, NudgeError } from './errors.ts';
import type { ClientEvents } from './events.ts';
import { loadBefore } from './history.ts';
import { Http, type HttpRequest } from './http.ts';
import { Lanes } from './lanes.ts';
import { type Accepted, Link } from './link.ts';
import { cursorOf } from './log-state.ts';
import { type ClientOptions, defaultTuning, type Tuning } from './options.ts';
import { randomId } from './random-id.ts';
import { ReadMarks, type ReadPosition, readPosition } from './read-marks.ts';
import { type SendAnswer, type SendOptions, sendMessage } from './send.ts';
import { socketIoTransport } from './socket-io-transport.ts';
import { MemoryStorage, type Storage } from './storage.ts';
import { SyncDriver } from './sync-driver.ts';
import { Tokens } from './tokens.ts';
import { readNotify } from './wire.ts';

/** What the server says of watched conversations: how far each reaches, and which it refuses. */
export type WatchAnswer = Accepted<'watch'>;

/** Conversations or users named in one event; the server's limit of both. */
const NAMED_AT_ONCE = 100;

/**
 * A device of a user: hears keys over a socket, pulls entries over HTTP, and hands each out once and in order. What a key, a page or a
 * failure leads to is decided by the pure machines (`stepLog`, `stepSync`); this class only connects them with the world.
 */
export class NudgeClient {
  readonly deviceId: string;
  /** Calls {@link close}; present where the platform knows `Symbol.asyncDispose`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  readonly #tuning: Tuning;
  readonly #clock: Clock;
  readonly #tokens: Tokens;
  readonly #http: Http;
  readonly #endpoints: Endpoints;
  readonly #storage: Storage;
  readonly #driver: SyncDriver;
  readonly #link: Link;
  readonly #events: Emitter<ClientEvents>;
  readonly #lanes = new Lanes();
  readonly #reads: ReadMarks;
  readonly #watched = new Set<string>();
  readonly #typing = new Map<string, number>();
  readonly #closeListeners = new Set<() => void>();
  #presenceOf: readonly string[] | undefined;
  #status: 'online' | 'away' | undefined;
  #restored: Promise<void> | undefined;
  #closed = false;

  constructor(options: ClientOptions) {
    this.#tuning = { ...defaultTuning, ...options.tuning };
    this.#clock = options.clock ?? systemClock;
    this.deviceId = options.deviceId ?? randomId();
    const { logger } = options;
    const random = options.random ?? Math.random;
    const network = options.network ?? 'wifi';
    this.#events = new Emitter<ClientEvents>((error, event) => this.#listenerThrew(error, event, logger));
    this.#tokens = new Tokens(options);
    this.#storage = options.storage ?? new MemoryStorage();
    this.#endpoints = new Endpoints(options.url, options.gateways, network, this.#clock);
    this.#http = new Http({
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
      clock: this.#clock,
      random,
      tokens: this.#tokens,
      timeoutMs: this.#tuning.requestTimeoutMs,
    });
    this.#reads = new ReadMarks((conversationId, seq) => this.#putRead(conversationId, seq), this.#clock, this.#tuning.readEveryMs);
    this.#driver = new SyncDriver({
      http: this.#http,
      clock: this.#clock,
      random,
      storage: this.#storage,
      syncBase: () => this.#endpoints.sync,
      startLogs: this.#tuning.startLogs,
      limits: this.#tuning,
      observer: {
        entry: (conversationId, entry) => this.#events.emit('entry', { conversationId, entry }),
        range: (conversationId, from) => this.#events.emit('range', { conversationId, from }),
        dropped: (log, reason) => this.#events.emit('dropped', { log, reason }),
        head: (head) => this.#events.emit('head', head),
        feed: (item) => this.#events.emit('feed', item),
        pull: (report) => this.#events.emit('pull', report),
        current: () => this.#events.emit('current', {}),
        error: (error, log) => {
          logger?.warn('pull failed', { code: error.code, retryable: error.retryable, log });
          this.#events.emit('error', { error, log });
        },
      },
    });
    this.#link = new Link({
      transport: options.transport ?? socketIoTransport,
      clock: this.#clock,
      random,
      tokens: this.#tokens,
      endpoints: this.#endpoints,
      http: this.#http,
      deviceId: this.deviceId,
      clientName: options.clientName,
      network,
      connectTimeoutMs: this.#tuning.connectTimeoutMs,
      ackTimeoutMs: this.#tuning.ackTimeoutMs,
      observer: {
        welcome: ({ sessionId, gatewayId, resumed, epoch }, url) => {
          logger?.debug('connected', { gatewayId, resumed, url });
          if (this.#tokens.userId !== undefined) this.#driver.follow(`u/${this.#tokens.userId}`);
          this.#events.emit('connected', { sessionId, gatewayId, resumed, url });
          this.#driver.sync({ type: 'welcome', resumed, epoch });
          this.#restoreInterests();
        },
        notify: (notify) => {
          const { keys, resync } = readNotify(notify);
          for (const [log, seq] of keys) this.#key(log, seq);
          if (!resync) return;
          this.#events.emit('resync', {});
          this.#driver.sync({ type: 'resync' });
        },
        typing: (typing) => this.#events.emit('typing', typing),
        presence: (presence) => this.#events.emit('presence', presence),
        control: (control) => this.#events.emit('control', control),
        disconnected: (error, said, retryInMs) => {
          logger?.debug('disconnected', { code: error.code, said: said?.code, retryInMs });
          this.#events.emit('disconnected', { error, said, retryInMs });
          this.#driver.sync({ type: 'offline' });
        },
        stopped: (error, said) => {
          logger?.warn('stopped', { code: error.code, said: said?.code });
          this.#events.emit('stopped', { error, said });
        },
        error: (error) => this.#events.emit('error', { error, log: undefined }),
      },
    });
    if (typeof Symbol.asyncDispose === 'symbol') Object.defineProperty(this, Symbol.asyncDispose, { value: () => this.close() });
  }

  /** The user of the token; `undefined` before the first token is there. */
  get userId(): string | undefined {
    return this.#tokens.userId;
  }

  /** Whether the socket is up. Pulling and sending work without it. */
  get connected(): boolean {
    return this.#link.open;
  }

  /** Listens until the returned function is called. */
  on<Name extends keyof ClientEvents>(event: Name, listener: (payload: ClientEvents[Name]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** Connects and stays connected. Resolves when the socket is up, rejects when the server does not want this client as it is. */
  async connect(): Promise<void> {
    this.#refuseIfClosed();
    this.#restored ??= this.#driver.restore().catch((error: unknown) => {
      this.#restored = undefined;
      throw error;
    });
    await this.#restored;
    this.#refuseIfClosed();
    if (this.#link.open) return;
    await new Promise<void>((resolve, reject) => {
      const stopListening = [
        this.on('connected', () => done(undefined)),
        this.on('stopped', ({ error }) => done(error)),
        this.#onClose(() => done(new NudgeError('closed', 'the client was closed', { retryable: false }))),
      ];
      const done = (error: NudgeError | undefined) => {
        for (const stop of stopListening) stop();
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#link.start();
    });
  }

  /** Goes offline: no socket until `connect`. What is known stays; `connect` within two minutes resumes the session. */
  disconnect(): void {
    this.#link.stop();
  }

  /** The app is in the foreground again: look for what was missed, and reconnect at once if a reconnection was being waited for. */
  foreground(): void {
    this.#refuseIfClosed();
    this.#link.start();
    this.#driver.sync({ type: 'foreground' });
  }

  /** Ends the client for good. Requests in progress reject with `closed`; whether a send among them took effect is unknown. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#driver.close();
      this.#link.stop();
      this.#http.close();
      this.#reads.close();
      for (const closed of [...this.#closeListeners]) closed();
      this.#events.clear();
    }
    return Promise.resolve();
  }

  /**
   * Sends a message and resolves with its place in the log. Repeated under the same `clientMsgId` until it is answered or refused for
   * good, so it takes effect once. Messages of this device to one conversation keep their order unless `ordered` is false.
   */
  send(conversationId: string, body: Record<string, unknown>, options: SendOptions = {}): Promise<SendAnswer> {
    this.#typing.delete(conversationId);
    const deps = { http: this.#http, driver: this.#driver, api: this.#endpoints.api, senderId: () => this.#tokens.userId };
    const message = { conversationId, clientMsgId: options.clientMsgId ?? randomId(), body, signal: options.signal };
    const task = () => sendMessage(deps, message);
    return options.ordered === false ? task() : this.#lanes.run(conversationId, task);
  }

  /** Moves the own read position forward. Calls in quick succession share a request. */
  markRead(conversationId: string, seq: number): Promise<ReadPosition> {
    return this.#reads.mark(conversationId, seq);
  }

  /** Local history of a conversation: ascending, up to the cursor, without a hole. Empty until it is started. */
  entries(conversationId: string): readonly Entry[] {
    return this.#storage.entries(`c/${conversationId}`);
  }

  /** The seq up to which a conversation is applied; `null` while it is not started. */
  cursor(conversationId: string): number | null {
    return cursorOf(this.#driver.state(`c/${conversationId}`));
  }

  /** Starts a conversation that nothing was heard of yet, from its end. */
  open(conversationId: string): void {
    this.#driver.log(`c/${conversationId}`, { type: 'open' });
  }

  /** Fetches what lies right before the local history, puts it there and resolves with it; empty at the beginning. */
  loadBefore(conversationId: string, limit = this.#tuning.startEntries): Promise<readonly Entry[]> {
    const deps = { http: this.#http, driver: this.#driver, storage: this.#storage, syncBase: () => this.#endpoints.sync };
    return this.#lanes.run(`before ${conversationId}`, () => loadBefore(deps, conversationId, limit));
  }

  /** Hears of these conversations at once and gets their `typing`, until `unwatch`. Offline: as soon as the socket is up, `undefined`. */
  async watch(conversationIds: readonly string[]): Promise<WatchAnswer | undefined> {
    for (const id of conversationIds) this.#watched.add(id);
    return this.#link.open && conversationIds.length > 0 ? await this.#sendWatch([...conversationIds]) : undefined;
  }

  async unwatch(conversationIds: readonly string[]): Promise<void> {
    for (const id of conversationIds) this.#watched.delete(id);
    if (this.#link.open && conversationIds.length > 0) await this.#link.request('unwatch', { conversationIds: [...conversationIds] });
  }

  /** Tells those who watch the conversation that the user types, or stopped. Lost where it cannot be sent at once. */
  typing(conversationId: string, active: boolean): void {
    const last = this.#typing.get(conversationId);
    const now = this.#clock.now();
    if (active && last !== undefined && now - last < this.#tuning.typingEveryMs) return;
    if (active) this.#typing.set(conversationId, now);
    else this.#typing.delete(conversationId);
    this.#link.typing({ conversationId, active });
  }

  /** Follows the presence of these users (instead of any before); each present status comes as a `presence` event. */
  async watchPresence(userIds: readonly string[]): Promise<readonly Presence[] | undefined> {
    this.#presenceOf = [...userIds];
    return this.#link.open ? await this.#sendPresenceWatch(this.#presenceOf) : undefined;
  }

  /** Shows the user as online or away to those who follow. */
  async setPresence(status: 'online' | 'away'): Promise<void> {
    this.#status = status;
    if (this.#link.open) await this.#link.request('presence.set', { status });
  }

  /** Any other route of the API, with the user's token: one try, rejects with {@link NudgeError}. */
  async request(method: HttpRequest['method'], path: `/v1/${string}`, body?: unknown): Promise<unknown> {
    const base = path.startsWith('/v1/sync') ? this.#endpoints.sync : this.#endpoints.api;
    return (await this.#http.once({ method, url: base + path, body })).body;
  }

  #key(log: LogName, seq: number): void {
    this.#events.emit('key', { log, seq });
    this.#driver.log(log, { type: 'key', seq });
  }

  /** A new session knows of no watch: the interests are the client's own. */
  #restoreInterests(): void {
    const report = (error: unknown) => this.#events.emit('error', { error: asNudgeError(error), log: undefined });
    const watched = [...this.#watched];
    for (let at = 0; at < watched.length; at += NAMED_AT_ONCE) this.#sendWatch(watched.slice(at, at + NAMED_AT_ONCE)).catch(report);
    if (this.#presenceOf !== undefined) this.#sendPresenceWatch(this.#presenceOf).catch(report);
    if (this.#status !== undefined) this.#link.request('presence.set', { status: this.#status }).catch(report);
  }

  async #sendWatch(conversationIds: string[]): Promise<WatchAnswer> {
    const answer = await this.#link.request('watch', { conversationIds });
    for (const [id, seq] of Object.entries(answer.heads)) this.#driver.log(`c/${id}`, { type: 'key', seq });
    for (const id of Object.keys(answer.refused)) this.#watched.delete(id);
    return answer;
  }

  async #sendPresenceWatch(userIds: readonly string[]): Promise<readonly Presence[]> {
    const { presence } = await this.#link.request('presence.watch', { userIds: [...userIds] });
    for (const each of presence) this.#events.emit('presence', each);
    return presence;
  }

  #putRead(conversationId: string, seq: number): Promise<ReadPosition> {
    const url = `${this.#endpoints.api}/v1/conversations/${encodeURIComponent(conversationId)}/read`;
    return this.#http.untilAnswered({ method: 'PUT', url, body: { seq } }, readPosition);
  }

  #onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new NudgeError('closed', 'the client was closed', { retryable: false });
  }

  #listenerThrew(thrown: unknown, event: keyof ClientEvents, logger: ClientOptions['logger']): void {
    logger?.warn('a listener threw', { event });
    const error = thrown instanceof Error ? thrown : new Error('a listener threw', { cause: thrown });
    if (event !== 'error') this.#events.emit('error', { error, log: undefined });
  }
}
