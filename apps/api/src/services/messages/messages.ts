import { timingSafeEqual } from 'node:crypto';
import { NudgeError, type Router } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import type { AppendMode, ConversationStore } from '../../store/conversation-store.ts';
import type { Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import { bodyText, type ContentFields, contentHash, extraText } from './content.ts';
import type { ContentSecrets } from './content-secrets.ts';
import type { CountableTypes } from './countable-types.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

/** A message to send, as it came. */
export interface Send {
  readonly appId: string;
  readonly conversationId: string;
  readonly senderId: string;
  readonly clientMsgId: string;
  readonly type?: string | null | undefined;
  readonly body: JsonObject;
  readonly replyTo?: number | null | undefined;
  readonly mentions?: readonly string[] | null | undefined;
  /** Seconds. */
  readonly expiresIn?: number | null | undefined;
  readonly sendAt?: string | null | undefined;
}

/** Where a message is. `repeated`: an earlier send of the same content put it there. `asSent`: nothing was added to it. */
export interface Sent {
  readonly seq: number;
  readonly createdAt: string;
  readonly asSent: boolean;
  readonly repeated: boolean;
}

export interface MessagesOptions {
  readonly router: Router<ConversationStore>;
  readonly appender: Appender;
  readonly scheduler: Scheduler;
  readonly secrets: ContentSecrets;
  readonly countable: CountableTypes;
  readonly limits: Pick<Limits, 'messageBodyBytes'>;
}

/** Sends messages. */
export class Messages {
  readonly #options: MessagesOptions;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /** Resolves after the commit. Throws what `refusal` names, `too_large`, `overloaded`, `database_unavailable` (then: send it again). */
  async send(send: Send, mode: Extract<AppendMode, 'interactive' | 'on_behalf'> = 'interactive'): Promise<Sent> {
    const { appender } = this.#options;
    const { text, hash } = await this.#content(send);
    const type = send.type ?? 'message';
    const { appId, conversationId, senderId, clientMsgId, mentions } = send;
    const known = this.#options.countable.isCountable(appId, type);
    const countable = typeof known === 'boolean' ? known : await known;
    const result = await appender.append({
      appId,
      conversationId,
      senderId,
      clientMsgId,
      contentHash: hash,
      type,
      body: text,
      extra: extraText(send),
      targetSeq: null,
      countable,
      mode,
      ...(mentions === null || mentions === undefined ? {} : { mentions }),
    });
    const { status, seq, createdAt } = result;
    if ((status !== 'ok' && status !== 'duplicate') || seq === null || createdAt === null) throw refusal(result, type);
    return { seq, createdAt, asSent: asSent(send, countable || status === 'duplicate'), repeated: status === 'duplicate' };
  }

  /** Keeps the message until its time, or answers where it is when that has come already. Throws what {@link Scheduler} names. */
  async sendLater(send: Send & { readonly sendAt: string }): Promise<Scheduled | Sent> {
    const { text, hash } = await this.#content(send);
    const before = await this.#lookUp(send, hash);
    if (before !== undefined) return before;
    const { appId, conversationId, senderId, clientMsgId, sendAt } = send;
    const type = send.type ?? 'message';
    return this.#options.scheduler.schedule({
      appId,
      conversationId,
      senderId,
      clientMsgId,
      contentHash: hash,
      type,
      body: text,
      extra: extraText(send),
      countable: await this.#options.countable.isCountable(appId, type),
      sendAt,
    });
  }

  /** The message when the same send succeeded before; `undefined` when it did not. Throws `client_msg_id_reused` for another content. */
  async sentBefore(send: Send): Promise<Sent | undefined> {
    const { hash } = await this.#content(send);
    return this.#lookUp(send, hash);
  }

  async #content(send: Send): Promise<{ text: string; hash: Buffer }> {
    const { secrets, limits } = this.#options;
    const text = bodyText(send.body, limits);
    const known = secrets.of(send.appId);
    const secret = known instanceof Promise ? await known : known;
    return { text, hash: contentHash(secret, send.clientMsgId, text, fieldsOf(send)) };
  }

  async #lookUp(send: Send, hash: Buffer): Promise<Sent | undefined> {
    const { appId, conversationId, senderId, clientMsgId } = send;
    const found = await this.#options.router.route(conversationId).pool.sentEntry({ appId, conversationId, senderId, clientMsgId });
    if (found === null) return undefined;
    const { seq, createdAt, contentHash: stored } = found;
    if (stored === null || stored.length !== hash.length || !timingSafeEqual(stored, hash)) {
      throw new NudgeError('client_msg_id_reused', { detail: 'Use a new clientMsgId for another message' });
    }
    return { seq, createdAt, asSent: asSent(send, true), repeated: true };
  }
}

function fieldsOf({ type, replyTo, mentions, expiresIn, sendAt }: Send): ContentFields {
  return { type, replyTo, mentions, expiresIn, sendAt };
}

/**
 * The server adds an excerpt to a reply, a time to what expires, and to a custom entry that it counts: the sender does not have those.
 * `mayCount`: such an entry counts, or did when it was sent for the first time.
 */
function asSent({ type, replyTo, expiresIn }: Send, mayCount: boolean): boolean {
  const isPlain = type === null || type === undefined || type === 'message';
  return (isPlain || !mayCount) && (replyTo === null || replyTo === undefined) && (expiresIn === null || expiresIn === undefined);
}
