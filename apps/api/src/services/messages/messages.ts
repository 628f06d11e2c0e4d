import type { Clock } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import type { Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import { bodyText, contentHash } from './content.ts';
import type { ContentSecrets } from './content-secrets.ts';

/** A message to send. */
export interface Send {
  readonly appId: string;
  readonly conversationId: string;
  readonly senderId: string;
  readonly clientMsgId: string;
  readonly body: JsonObject;
}

/** Where a message is. `repeated`: an earlier send of the same content put it there. */
export interface Sent {
  readonly seq: number;
  readonly createdAt: string;
  readonly repeated: boolean;
}

export interface MessagesOptions {
  readonly appender: Appender;
  readonly secrets: ContentSecrets;
  readonly limits: Pick<Limits, 'messageBodyBytes'>;
  readonly clock: Clock;
}

/** Sends messages. */
export class Messages {
  readonly #options: MessagesOptions;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /** Resolves after the commit. Throws what `refusal` names, `too_large`, `overloaded`, `database_unavailable` (then: send it again). */
  async send({ appId, conversationId, senderId, clientMsgId, body }: Send): Promise<Sent> {
    const { appender, secrets, limits, clock } = this.#options;
    const text = bodyText(body, limits);
    const known = secrets.of(appId);
    const secret = known instanceof Promise ? await known : known;
    const result = await appender.append({
      appId,
      conversationId,
      senderId,
      clientMsgId,
      contentHash: contentHash(secret, clientMsgId, text),
      type: 'message',
      body: text,
      targetSeq: null,
      countable: true,
      mode: 'interactive',
      memberId: null,
    });
    const { status, seq, createdAt } = result;
    if ((status !== 'ok' && status !== 'duplicate') || seq === null || createdAt === null) throw refusal(result, clock.now());
    return { seq, createdAt, repeated: status === 'duplicate' };
  }
}
