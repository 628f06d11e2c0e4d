import { NudgeError } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import canonicalize from 'canonicalize';
import type { ContentSecret } from './content-secret.ts';

/** A message body as it is stored and compared: canonical JSON (RFC 8785), serialised once. Throws `too_large` above its limit. */
export function bodyText(body: JsonObject, limits: Pick<Limits, 'messageBodyBytes'>): string {
  const text = canonicalize(body);
  if (text === undefined) throw new NudgeError('invalid_request', { detail: 'body is not a JSON object' });
  // A UTF-16 unit is at most three bytes of UTF-8: most bodies need no counting.
  const bytes = text.length * 3 > limits.messageBodyBytes ? Buffer.byteLength(text) : 0;
  if (bytes > limits.messageBodyBytes) {
    throw new NudgeError('too_large', {
      detail: `body of ${bytes} bytes; at most ${limits.messageBodyBytes} (messageBodyBytes)`,
    });
  }
  return text;
}

/** What a request says beside its body and its `clientMsgId`. Absent, null and default mean the same. */
export interface ContentFields {
  /** Default `message`. */
  readonly type?: string | null | undefined;
  readonly replyTo?: number | null | undefined;
  /** Default none. */
  readonly mentions?: readonly string[] | null | undefined;
  /** Seconds. */
  readonly expiresIn?: number | null | undefined;
  readonly sendAt?: string | null | undefined;
  /** Of an edit: what it changes. */
  readonly target?: number | null | undefined;
  readonly ifStateSeq?: number | null | undefined;
}

/**
 * What tells two requests with the same `clientMsgId` apart: HMAC-SHA256 under the app's secret over the canonical JSON of the request. The
 * members of that object are written here in their canonical order around the body's own text.
 */
export function contentHash(secret: ContentSecret, clientMsgId: string, body: string, fields: ContentFields = {}): Buffer {
  const { expiresIn, ifStateSeq, mentions, replyTo, sendAt, target, type } = fields;
  let text = `{"body":${body},"clientMsgId":${JSON.stringify(clientMsgId)}`;
  if (expiresIn !== undefined && expiresIn !== null) text += `,"expiresIn":${expiresIn}`;
  if (ifStateSeq !== undefined && ifStateSeq !== null) text += `,"ifStateSeq":${ifStateSeq}`;
  if (mentions !== undefined && mentions !== null && mentions.length > 0) text += `,"mentions":${JSON.stringify(mentions)}`;
  if (replyTo !== undefined && replyTo !== null) text += `,"replyTo":${replyTo}`;
  if (sendAt !== undefined && sendAt !== null) text += `,"sendAt":${JSON.stringify(sendAt)}`;
  if (target !== undefined && target !== null) text += `,"target":${target}`;
  text += `,"type":"${type ?? 'message'}"}`;
  return secret.hash(text);
}

/** What an append takes beside the body, as JSON text; `null` when there is nothing. Mentions are a set: each user once. */
export function extraText(fields: {
  readonly replyTo?: number | null | undefined;
  readonly mentions?: readonly string[] | null | undefined;
  readonly expiresIn?: number | null | undefined;
  readonly ifStateSeq?: number | null | undefined;
  readonly atMost?: number;
}): string | null {
  const { replyTo = null, mentions = null, expiresIn = null, ifStateSeq = null, atMost = null } = fields;
  // most messages have none of it
  if (replyTo === null && mentions === null && expiresIn === null && ifStateSeq === null && atMost === null) return null;
  const extra = {
    ...(replyTo === null ? {} : { replyTo }),
    ...(mentions === null || mentions.length === 0 ? {} : { mentions: [...new Set(mentions)] }),
    ...(expiresIn === null ? {} : { expiresInSeconds: expiresIn }),
    ...(ifStateSeq === null ? {} : { ifStateSeq }),
    ...(atMost === null ? {} : { atMost }),
  };
  const text = JSON.stringify(extra);
  return text === '{}' ? null : text;
}
