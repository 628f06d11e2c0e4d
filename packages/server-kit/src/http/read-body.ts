import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { NudgeError } from '../errors.ts';
import { parseStrictJson } from './strict-json.ts';

/** The client went away before its request was complete: there is no one to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** What is read and thrown away of a request that was already answered, bytes: a client that sends more is cut off. */
const maxDiscarded = 1024 * 1024;

/** `application/json`, with at most `charset=utf-8` beside it. */
const jsonType = /^application\/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i;

/** Whether the request carries a body (RFC 9112, 6.3). */
export function hasBody(req: IncomingMessage): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/**
 * The JSON body, `undefined` when there is none. Refuses another content type, more than `maxBytes` (at once when the length is declared),
 * bytes that are not UTF-8 and JSON that is not strict. Rejects with {@link ClientGone} when the request ends early.
 */
export async function readJsonBody(req: IncomingMessage, maxBytes: number, maxDepth: number, limitName: string): Promise<unknown> {
  if (!hasBody(req)) return undefined;
  const type = req.headers['content-type'];
  const coding = req.headers['content-encoding'];
  if (type === undefined || !jsonType.test(type)) throw new NudgeError('unsupported_media_type');
  if (coding !== undefined && coding !== 'identity')
    throw new NudgeError('unsupported_media_type', {
      detail: 'no content-encoding is accepted',
    });
  const tooLarge = () =>
    new NudgeError('too_large', {
      detail: `the body may have ${maxBytes} bytes (${limitName})`,
    });
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const bytes = await collect(req, maxBytes, tooLarge);
  // An empty body sent in chunks.
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes))
    throw new NudgeError('invalid_request', {
      detail: 'the body is not valid UTF-8',
    });
  return parseStrictJson(bytes.toString('utf8'), maxDepth);
}

function collect(req: IncomingMessage, maxBytes: number, tooLarge: () => NudgeError): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) settle(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)));
    const onGone = () => settle(() => reject(new ClientGone()));
    const settle = (outcome: () => void) => {
      req.off('data', onData).off('end', onEnd).off('close', onGone);
      outcome();
    };
    // A request that breaks off emits 'error' before 'close'; the listener stays, since an 'error' no one hears ends the process.
    req.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}

/**
 * Reads on for a bounded number of bytes what is left of a request that is being answered, so that a client still sending sees the answer
 * instead of a reset; cuts off one that goes on. The listener's request timeout bounds the time.
 */
export function discardRest(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  let discarded = 0;
  req.on('error', ignoreBrokenRequest);
  req.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > maxDiscarded) req.destroy();
  });
}

function ignoreBrokenRequest(): void {
  // The request was answered: that the rest of it does not arrive is of no interest.
}
