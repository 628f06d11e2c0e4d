import type { Entry, Routes } from '@nudge/types';
import { NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { SyncDriver } from './sync-driver.ts';

/** The place of a message in its log. `asSent`: stored as it was sent, nothing masked or added. */
export type SendAnswer = Routes['sendMessage']['answers'][201]['_zod']['output'];

export interface SendOptions {
  /** The message's own name, for ever: a repetition under it has no second effect. Default: a random one. */
  readonly clientMsgId?: string;
  /** False: do not wait for earlier messages of this device to the same conversation. */
  readonly ordered?: boolean;
  /** Gives up; whether the message was stored is then unknown unless it is sent again. */
  readonly signal?: AbortSignal;
}

export interface SendDeps {
  readonly http: Http;
  readonly driver: SyncDriver;
  readonly api: string;
  readonly senderId: () => string | undefined;
}

interface Message {
  readonly conversationId: string;
  readonly clientMsgId: string;
  readonly body: Record<string, unknown>;
  readonly signal: AbortSignal | undefined;
}

/** Posts a message until it is answered and tells the conversation's log where it stands. */
export async function sendMessage({ http, driver, api, senderId }: SendDeps, message: Message): Promise<SendAnswer> {
  const { conversationId, clientMsgId, signal } = message;
  // What travels is the JSON of the body, so what is applied locally is that too: later changes of the caller's object reach neither.
  const body = JSON.parse(JSON.stringify(message.body)) as Record<string, unknown>;
  const log = `c/${conversationId}` as const;
  const life = driver.life(log);
  const url = `${api}/v1/conversations/${encodeURIComponent(conversationId)}/messages`;
  const answer = await http.untilAnswered({ method: 'POST', url, body: { clientMsgId, body } }, sendAnswer, signal);
  const sender = senderId();
  const { seq, createdAt } = answer;
  const item: Entry = { seq, type: 'message', senderId: sender ?? '', createdAt, clientMsgId, body };
  driver.log(log, { type: 'sent', seq, asSent: answer.asSent && sender !== undefined, item, life });
  return answer;
}

function sendAnswer(value: unknown): SendAnswer {
  const { seq, createdAt, asSent } = (value ?? {}) as Partial<SendAnswer>;
  if (typeof seq === 'number' && typeof createdAt === 'string' && typeof asSent === 'boolean') return value as SendAnswer;
  throw new NudgeError('bad_answer', 'the answer to a send is not one', { retryable: true });
}
