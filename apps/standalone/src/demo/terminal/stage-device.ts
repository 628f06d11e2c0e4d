import { type ChangeAnswer, NudgeClient, type SendOptions } from '@nudge/client';
import type { DemoSession } from '../demo-session.ts';
import type { Screen } from './screen.ts';

/** A device of the demo: a client whose doings appear on the screen. */
export class StageDevice {
  readonly name: string;
  readonly client: NudgeClient;
  readonly #conversationId: string;
  readonly #screen: Screen;
  readonly #waiting = new Set<() => void>();

  constructor(options: { name: string; session: Pick<DemoSession, 'url' | 'gateways' | 'conversationId'>; token: string; screen: Screen }) {
    const { name, session, token, screen } = options;
    const { url, gateways = { gateways: [url] }, conversationId } = session;
    this.name = name;
    this.#conversationId = conversationId;
    this.#screen = screen;
    this.client = new NudgeClient({ url, gateways, token, deviceId: name, clientName: 'terminal demo' });
    this.#listen();
  }

  #listen(): void {
    const { client } = this;
    const tell = (kind: Parameters<Screen['event']>[1], text: string) => this.#screen.event(this.name, kind, text);
    client.on('connected', ({ resumed }) => tell('socket', resumed ? 'socket up, session resumed' : 'socket up'));
    client.on('key', ({ log, seq }) => {
      if (log === `c/${this.#conversationId}`) tell('key', `key: the log has reached ${seq}`);
    });
    client.on('pull', ({ log, after, count, code, ms }) => {
      if (log !== `c/${this.#conversationId}`) return;
      const asked = after === null ? 'newest page' : `after ${after}`;
      tell('pull', `pull ${asked}: ${code ?? `${count} ${count === 1 ? 'entry' : 'entries'}`} in ${Math.round(ms)} ms`);
    });
    client.on('typing', ({ userId, active }) => tell('typing', active ? `${userId} is typing …` : `${userId} stopped typing`));
    for (const event of ['entry', 'view', 'unread', 'typing', 'connected'] as const) client.on(event, () => this.#wake());
  }

  /** Connects, watches, and has the conversation up to its present end. */
  async join(): Promise<void> {
    await this.client.connect();
    await this.client.watch([this.#conversationId]);
    this.client.open(this.#conversationId);
    await this.until(() => this.client.cursor(this.#conversationId) !== null);
  }

  /** Sends and shows the seq it was given. */
  async say(text: string, options: SendOptions = {}): Promise<number> {
    const { seq } = await this.client.send(this.#conversationId, { text }, options);
    this.#screen.event(
      this.name,
      'send',
      `${options.replyTo === undefined ? 'sends' : `answers ${options.replyTo} with`} “${text}”: seq ${seq}`,
    );
    return seq;
  }

  /** Does something to a message and shows the seq of the entry that says so. */
  async act(what: string, call: (client: NudgeClient) => Promise<ChangeAnswer>): Promise<number> {
    const { seq } = await call(this.client);
    if (seq === null) throw new Error(`${this.name} ${what}: nothing changed`);
    this.#screen.event(this.name, 'send', `${what}: seq ${seq}`);
    return seq;
  }

  /** Gives a message another text. */
  edit(seq: number, text: string): Promise<number> {
    return this.act(`edits ${seq} to “${text}”`, (client) => client.edit(this.#conversationId, seq, { text }));
  }

  /** Resolves when the device has everything up to `seq`. */
  async has(seq: number): Promise<void> {
    await this.until(() => (this.client.cursor(this.#conversationId) ?? 0) >= seq);
  }

  /** Resolves when `condition` holds; looks again whenever something happened. Rejects after 15 s. */
  until(condition: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (!condition()) return;
      done();
      resolve();
    };
    const timeout = setTimeout(() => {
      done();
      reject(new Error(`${this.name}: nothing happened for 15 s; is the server still running?`));
    }, 15_000);
    const done = () => {
      clearTimeout(timeout);
      this.#waiting.delete(look);
    };
    this.#waiting.add(look);
    look();
    return promise;
  }

  #wake(): void {
    // The client applies an entry before its cursor is readable to a listener of the same event.
    queueMicrotask(() => {
      for (const look of [...this.#waiting]) look();
    });
  }
}
