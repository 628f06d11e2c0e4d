import { createHmac, createSecretKey } from 'node:crypto';
import type { JsonObject } from '@nudge/types';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyText, contentHash } from './content.ts';

const limits = { messageBodyBytes: 16 * 1024 };
const secret = createSecretKey(Buffer.alloc(32, 7));

describe('the content of a message', () => {
  it('is hashed as the canonical JSON of the whole request', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string({ minLength: 1, maxLength: 64 }), (raw, clientMsgId) => {
        const body = JSON.parse(JSON.stringify(raw)) as JsonObject;
        const whole = canonicalize({ clientMsgId, type: 'message', body }) ?? '';
        const expected = createHmac('sha256', secret).update(whole).digest();
        expect(contentHash(secret, clientMsgId, bodyText(body, limits))).toEqual(expected);
        expect(JSON.parse(bodyText(body, limits))).toEqual(body);
      }),
    );
  });

  it('does not depend on the order of keys, but on every value', () => {
    const text = bodyText({ b: 1, a: { d: [1, 2], c: 'x' } }, limits);
    expect(bodyText({ a: { c: 'x', d: [1, 2] }, b: 1 }, limits)).toBe(text);
    expect(bodyText({ a: { c: 'x', d: [2, 1] }, b: 1 }, limits)).not.toBe(text);
  });

  it('is measured in bytes of UTF-8, up to the limit and not beyond', () => {
    const room = limits.messageBodyBytes - Buffer.byteLength('{"text":""}');
    expect(() => bodyText({ text: 'é'.repeat(room / 2) }, limits)).not.toThrow();
    expect(() => bodyText({ text: `${'é'.repeat(Math.floor(room / 2))}xx` }, limits)).toThrow(/messageBodyBytes/);
    expect(() => bodyText({ text: 'x'.repeat(room + 1) }, limits)).toThrow(/messageBodyBytes/);
  });
});
