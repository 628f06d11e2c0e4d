import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ContentSecret } from './content-secret.ts';

it('hashes as Node’s own HMAC does, whatever the key and the text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (key, texts) => {
      const secret = new ContentSecret(key);
      const expected = texts.map((text) => createHmac('sha256', key).update(text).digest());
      expect(texts.map((text) => secret.hash(text))).toEqual(expected);
    }),
  );
  expect(new ContentSecret(Buffer.alloc(32)).hash('\ud800')).toEqual(createHmac('sha256', Buffer.alloc(32)).update('\ud800').digest());
  expect(() => new ContentSecret(Buffer.alloc(65))).toThrow(RangeError);
});
