import type { Entry, Routes } from '@nudge/types';
import type { Answer, Fields } from './calls/caller.ts';
import { NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { SyncDriver } from './sync-driver.ts';

/** The place of a message in its log. `asSent`: stored as it was sent, nothing masked or added. */
export type SendAnswer = Routes['sendMessage']['answers'][201]['_zod']['output'];

/** A message that waits for its time. */
export type ScheduleAnswer = Answer<'sendMessage', 202>;

/** What a message may have beside its body. */
export interface MessageOptions {
  /** The message's own name, for ever: a repetition under it has no second effect. Default: a random one. */
  readonly clientMsgId?: string;
  /** `message`, or the integrator's own `custom.<name>`. */
  readonly type?: string;
  /** Seq of the entry quoted. */
  readonly replyTo?: number;
  readonly mentions?: readonly string[];
  /** Seconds after which its content is gone everywhere. */
  readonly expiresIn?: number;
}

export interface SendOptions extends MessageOptions {
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

/** What is sent to one conversation. */
export interface Message {
  readonly conversationId: string;
  readonly clientMsgId: string;
  readonly body: Record<string, unknown>;
  readonly options: MessageOptions;
}

/** A message as it will travel: later changes of the caller's objects reach neither the request nor what is applied here. */
export function composed(conversationId: string, clientMsgId: string, body: Record<string, unknown>, options: MessageOptions): Message {
  return { conversationId, clientMsgId, body: JSON.parse(JSON.stringify(body)) as Record<string, unknown>, options: { ...options } };
}

/** Posts a message until it is answered and tells the conversation's log where it stands. */
export async function sendMessage({ http, driver, api, senderId }: SendDeps, message: Message, signal?: AbortSignal): Promise<SendAnswer> {
  const { conversationId, clientMsgId, body, options } = message;
  const log = `c/${conversationId}` as const;
  const life = driver.life(log);
  const answer = await http.untilAnswered(request(api, message, undefined), sendAnswer, signal);
  const sender = senderId();
  const { seq, createdAt } = answer;
  const { type = 'message', replyTo, mentions, expiresIn } = options;
  // A quotation's excerpt and the time of expiry are the server's to say: such a message is pulled.
  const plain = replyTo === undefined && mentions === undefined && expiresIn === undefined;
  const item: Entry = { seq, type, senderId: sender ?? '', createdAt, clientMsgId, body };
  driver.log(log, { type: 'sent', seq, asSent: answer.asSent && plain && sender !== undefined, item, life });
  return answer;
}

/** Leaves a message with the server, to be sent at a time. */
export function scheduleMessage({ http, api }: SendDeps, message: Message, sendAt: Date | string): Promise<ScheduleAnswer> {
  return http.untilAnswered(request(api, message, typeof sendAt === 'string' ? sendAt : sendAt.toISOString()), scheduleAnswer);
}

function request(api: string, { conversationId, clientMsgId, body, options }: Message, sendAt: string | undefined) {
  const { type, replyTo, mentions, expiresIn } = options;
  const fields: Fields<'sendMessage'> = {
    clientMsgId,
    body,
    ...(type === undefined ? {} : { type: type as 'message' }),
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(mentions === undefined ? {} : { mentions: [...mentions] }),
    ...(expiresIn === undefined ? {} : { expiresIn }),
    ...(sendAt === undefined ? {} : { sendAt }),
  };
  const url = `${api}/v1/conversations/${encodeURIComponent(conversationId)}/messages`;
  return { method: 'POST', url, body: fields } as const;
}

function sendAnswer(value: unknown): SendAnswer {
  const { seq, createdAt, asSent } = (value ?? {}) as Partial<SendAnswer>;
  if (typeof seq === 'number' && typeof createdAt === 'string' && typeof asSent === 'boolean') return value as SendAnswer;
  throw new NudgeError('bad_answer', 'the answer to a send is not one', { retryable: true });
}

function scheduleAnswer(value: unknown): ScheduleAnswer {
  const { scheduledId } = (value ?? {}) as Partial<ScheduleAnswer>;
  if (typeof scheduledId === 'string') return value as ScheduleAnswer;
  throw new NudgeError('bad_answer', 'the answer to a scheduled send is not one', { retryable: true });
}
