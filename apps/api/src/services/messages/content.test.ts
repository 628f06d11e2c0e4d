import { createHmac } from 'node:crypto';
import type { JsonObject } from '@nudge/types';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyText, contentHash, extraText } from './content.ts';
import { ContentSecret } from './content-secret.ts';

const limits = { messageBodyBytes: 16 * 1024 };
const key = Buffer.alloc(32, 7);
const secret = new ContentSecret(key);

describe('the content of a message', () => {
  it('is hashed as the canonical JSON of the whole request', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string({ minLength: 1, maxLength: 64 }), (raw, clientMsgId) => {
        const body = JSON.parse(JSON.stringify(raw)) as JsonObject;
        const whole = canonicalize({ clientMsgId, type: 'message', body }) ?? '';
        const expected = createHmac('sha256', key).update(whole).digest();
        expect(contentHash(secret, clientMsgId, bodyText(body, limits))).toEqual(expected);
        expect(JSON.parse(bodyText(body, limits))).toEqual(body);
      }),
    );
  });

  it('is hashed with every field of the request in its canonical place; absent, null and default are the same', () => {
    const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const user = fc.stringMatching(/^[A-Za-z0-9_.:@-]{1,64}$/);
    const fields = fc.record({
      type: optional(fc.stringMatching(/^custom\.[a-z0-9_.-]{1,40}$/)),
      replyTo: optional(fc.nat()),
      mentions: optional(fc.array(user, { minLength: 1, maxLength: 5 })),
      expiresIn: optional(fc.nat()),
      ifStateSeq: optional(fc.nat()),
      sendAt: optional(fc.constant('2026-11-21T08:00:00+01:00')),
      target: optional(fc.nat()),
    });
    fc.assert(
      fc.property(fields, (given) => {
        const whole = canonicalize({ clientMsgId: 'm', body: {}, ...given, type: given.type ?? 'message' }) ?? '';
        const expected = createHmac('sha256', key).update(whole).digest();
        expect(contentHash(secret, 'm', '{}', given)).toEqual(expected);
        const spelled = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, value ?? null]));
        expect(contentHash(secret, 'm', '{}', { ...spelled, mentions: given.mentions ?? [] })).toEqual(expected);
      }),
    );
  });

  it('says beside the body what it adds, and nothing when it adds nothing', () => {
    expect(extraText({ replyTo: null, mentions: [] })).toBeNull();
    expect(extraText({ replyTo: 3, mentions: ['a', 'b', 'a'], expiresIn: 60 })).toBe(
      '{"replyTo":3,"mentions":["a","b"],"expiresInSeconds":60}',
    );
    expect(extraText({ ifStateSeq: 0 })).toBe('{"ifStateSeq":0}');
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
