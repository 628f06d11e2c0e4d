/// <reference lib="esnext.disposable" preserve="true" />
import type { Conversation, Entry, Preferences, Presence } from '@nudge/types';
import { type Assembly, assemble } from './assembly.ts';
import { MessageCalls } from './calls/messages.ts';
import { NudgeError } from './errors.ts';
import type { ClientEvents } from './events.ts';
import { loadBefore } from './history.ts';
import type { HttpRequest } from './http.ts';
import type { WatchAnswer } from './interests.ts';
import { cursorOf } from './log-state.ts';
import type { ClientOptions } from './options.ts';
import { randomId } from './random-id.ts';
import type { ReadPosition } from './read-marks.ts';
import {
  composed,
  type MessageOptions,
  type ScheduleAnswer,
  type SendAnswer,
  type SendOptions,
  scheduleMessage,
  sendMessage,
} from './send.ts';
import type { Unread } from './unread.ts';
import type { ConversationView } from './view/view.ts';

/**
 * A device of a user: hears keys over a socket, pulls entries over HTTP, hands each out once and in order, and keeps what every
 * conversation looks like with all of them folded. What a key, a page, an entry or a failure leads to is decided by pure functions
 * (`stepLog`, `stepSync`, the fold); this class only connects them with the world.
 */
export class NudgeClient extends MessageCalls {
  readonly deviceId: string;
  /** Calls {@link close}; present where the platform knows `Symbol.asyncDispose`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  readonly #parts: Assembly;
  readonly #closeListeners = new Set<() => void>();
  #restored: Promise<void> | undefined;
  #closed = false;

  constructor(options: ClientOptions) {
    super();
    this.#parts = assemble(options);
    this.deviceId = this.#parts.deviceId;
    if (typeof Symbol.asyncDispose === 'symbol') Object.defineProperty(this, Symbol.asyncDispose, { value: () => this.close() });
  }

  /** The user of the token; `undefined` before the first token is there. */
  get userId(): string | undefined {
    return this.#parts.tokens.userId;
  }

  /** Whether the socket is up. Pulling and sending work without it. */
  get connected(): boolean {
    return this.#parts.link.open;
  }

  /** Listens until the returned function is called. */
  on<Name extends keyof ClientEvents>(event: Name, listener: (payload: ClientEvents[Name]) => void): () => void {
    return this.#parts.events.on(event, listener);
  }

  /** Connects and stays connected. Resolves when the socket is up, rejects when the server does not want this client as it is. */
  async connect(): Promise<void> {
    this.#refuseIfClosed();
    this.#restored ??= this.#restore();
    await this.#restored;
    this.#refuseIfClosed();
    if (this.#parts.link.open) return;
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
      this.#parts.link.start();
    });
  }

  /** Goes offline: no socket until `connect`. What is known stays; `connect` within two minutes resumes the session. */
  disconnect(): void {
    this.#parts.link.stop();
  }

  /** The app is in the foreground again: look for what was missed, and reconnect at once if a reconnection was being waited for. */
  foreground(): void {
    this.#refuseIfClosed();
    this.#parts.link.start();
    this.#parts.driver.sync({ type: 'foreground' });
  }

  /** Ends the client for good. Requests in progress reject with `closed`; whether a send among them took effect is unknown. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#parts.close();
      for (const closed of [...this.#closeListeners]) closed();
      this.#parts.events.clear();
    }
    return Promise.resolve();
  }

  /**
   * Sends a message and resolves with its place in the log. Repeated under the same `clientMsgId` until it is answered or refused for
   * good, so it takes effect once. Messages of this device to one conversation keep their order unless `ordered` is false.
   */
  send(conversationId: string, body: Record<string, unknown>, options: SendOptions = {}): Promise<SendAnswer> {
    this.#parts.typing.sent(conversationId);
    const message = composed(conversationId, options.clientMsgId ?? randomId(), body, options);
    const task = () => sendMessage(this.#sending(), message, options.signal);
    return options.ordered === false ? task() : this.#parts.lanes.run(conversationId, task);
  }

  /** Leaves a message with the server, which sends it at `sendAt`. {@link scheduled} lists it until then. */
  schedule(
    conversationId: string,
    body: Record<string, unknown>,
    sendAt: Date | string,
    options: MessageOptions = {},
  ): Promise<ScheduleAnswer> {
    return scheduleMessage(this.#sending(), composed(conversationId, options.clientMsgId ?? randomId(), body, options), sendAt);
  }

  /** Moves the own read position forward. Calls in quick succession share a request. */
  async markRead(conversationId: string, seq: number): Promise<ReadPosition> {
    const position = await this.#parts.reads.mark(conversationId, seq);
    this.#parts.unread.read(conversationId, position.readSeq, position.unread, this.#parts.views.get(conversationId));
    return position;
  }

  /** Unread messages and mentions, kept between syncs; `undefined` while nothing is known of the conversation. */
  unread(conversationId: string): Unread | undefined {
    return this.#parts.unread.get(conversationId);
  }

  /** What the conversation looks like at {@link cursor}: entries with everything folded into them, members, state. */
  view(conversationId: string): ConversationView | undefined {
    return this.#parts.views.get(conversationId);
  }

  /** The entries of {@link view}: ascending, up to the cursor, without a hole. Empty until the conversation is started. */
  entries(conversationId: string): readonly Entry[] {
    return this.#parts.views.get(conversationId)?.entries ?? [];
  }

  /** Own settings of a conversation, as the feed tells. */
  preferences(conversationId: string): Preferences {
    return this.#parts.feed.preferences(conversationId);
  }

  /** Notices of the integrator that were not dismissed, by id. */
  notices(): ReadonlyMap<string, Readonly<Record<string, unknown>>> {
    return this.#parts.feed.notices();
  }

  /** Whether this user blocks another one. */
  isBlocked(userId: string): boolean {
    return this.#parts.feed.blocks(userId);
  }

  /** The seq up to which a conversation is applied; `null` while it is not started. */
  cursor(conversationId: string): number | null {
    return cursorOf(this.#parts.driver.state(`c/${conversationId}`));
  }

  /** Starts a conversation that nothing was heard of yet, from its end. */
  open(conversationId: string): void {
    this.#parts.driver.log(`c/${conversationId}`, { type: 'open' });
  }

  /** Fetches what lies right before the local history, puts it there and resolves with it; empty at the beginning. */
  loadBefore(conversationId: string, limit = this.#parts.tuning.startEntries): Promise<readonly Entry[]> {
    const deps = {
      http: this.#parts.http,
      driver: this.#parts.driver,
      views: this.#parts.views,
      syncBase: () => this.#parts.endpoints.sync,
    };
    return this.#parts.lanes.run(`before ${conversationId}`, () => loadBefore(deps, conversationId, limit));
  }

  /** Hears of these conversations at once and gets their `typing`, `receipt`s and `event`s, until `unwatch`. Offline: as soon as the socket is up, `undefined`. */
  watch(conversationIds: readonly string[]): Promise<WatchAnswer | undefined> {
    return this.#parts.interests.watch(conversationIds);
  }

  unwatch(conversationIds: readonly string[]): Promise<void> {
    return this.#parts.interests.unwatch(conversationIds);
  }

  /** Tells those who watch the conversation that the user types, or stopped; it stops by itself. Lost where it cannot be sent at once. */
  typing(conversationId: string, active: boolean): void {
    this.#parts.typing.typing(conversationId, active);
  }

  /** The integrator's own event to those who watch the conversation: at most 1 KiB, stored nowhere, lost where it cannot be sent at once. */
  sendEvent(conversationId: string, name: string, payload: Record<string, unknown> = {}): void {
    this.#parts.link.event({ conversationId, name, payload });
  }

  /** Follows the presence of these users (instead of any before); each present status comes as a `presence` event. */
  watchPresence(userIds: readonly string[]): Promise<readonly Presence[] | undefined> {
    return this.#parts.interests.watchPresence(userIds);
  }

  /** Shows the user as online or away to those who follow. */
  setPresence(status: 'online' | 'away'): Promise<void> {
    return this.#parts.interests.setPresence(status);
  }

  /** Any other route of the API, with the user's token: one try, rejects with {@link NudgeError}. */
  async request(method: HttpRequest['method'], path: `/v1/${string}`, body?: unknown): Promise<unknown> {
    return (await this.#parts.http.once({ method, url: this.#url(path), body })).body;
  }

  protected override call(method: HttpRequest['method'], path: `/v1/${string}`, body?: unknown): Promise<unknown> {
    return this.#parts.http.untilAnswered({ method, url: this.#url(path), body }, (answer) => answer);
  }

  protected override heard(conversationId: string, seq: number): void {
    this.#parts.driver.log(`c/${conversationId}`, { type: 'key', seq });
  }

  protected override described(conversation: Conversation): void {
    this.#parts.views.conversation(conversation);
  }

  async #restore(): Promise<void> {
    try {
      this.#parts.feed.restore(await this.#parts.driver.restore());
    } catch (error) {
      this.#restored = undefined;
      throw error;
    }
  }

  #sending() {
    return {
      http: this.#parts.http,
      driver: this.#parts.driver,
      api: this.#parts.endpoints.api,
      senderId: () => this.#parts.tokens.userId,
    };
  }

  #url(path: `/v1/${string}`): string {
    return (path.startsWith('/v1/sync') ? this.#parts.endpoints.sync : this.#parts.endpoints.api) + path;
  }

  #onClose(listener: () => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new NudgeError('closed', 'the client was closed', { retryable: false });
  }
}
