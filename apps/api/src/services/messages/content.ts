import { createHmac, type KeyObject } from 'node:crypto';
import { NudgeError } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import canonicalize from 'canonicalize';

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

/**
 * What tells two sends with the same `clientMsgId` apart: HMAC-SHA256 under the app's secret over the canonical JSON of the request. The
 * members of that object are written here in their canonical order around the body's own text. Absent and default fields mean the same.
 */
export function contentHash(secret: KeyObject, clientMsgId: string, body: string): Buffer {
  return createHmac('sha256', secret)
    .update(`{"body":${body},"clientMsgId":${JSON.stringify(clientMsgId)},"type":"message"}`)
    .digest();
}
