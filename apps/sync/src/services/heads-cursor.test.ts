import { NudgeError } from '@nudge/server-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeHeadsCursor, encodeHeadsCursor } from './heads-cursor.ts';

const id = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';

test('a position survives the way through a cursor to the millisecond', () => {
  const time = fc.date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2286-11-20T00:00:00Z'), noInvalidDate: true });
  fc.assert(
    fc.property(time, (date) => {
      const lastEntryAt = date.toISOString();
      expect(decodeHeadsCursor(encodeHeadsCursor({ lastEntryAt, id }))).toEqual({ lastEntryAt, id });
    }),
  );
});

test.each([
  ['empty', ''],
  ['not base64url', '%%%'],
  ['another alphabet', Buffer.from(`1.1763713000000.${id}`).toString('base64').replace(/=*$/, '==')],
  ['SQL', Buffer.from(`1.1'; drop table entry; --.${id}`).toString('base64url')],
  ['a negative time', Buffer.from(`1.-5.${id}`).toString('base64url')],
  ['a time beyond every calendar', Buffer.from(`1.99999999999999.${id}`).toString('base64url')],
  ['no id', Buffer.from('1.1763713000000.').toString('base64url')],
  ['an id in capitals', Buffer.from(`1.1763713000000.${id.toUpperCase()}`).toString('base64url')],
  ['another version', Buffer.from(`2.1763713000000.${id}`).toString('base64url')],
  ['something behind', Buffer.from(`1.1763713000000.${id} `).toString('base64url')],
  ['padding', `${Buffer.from(`1.1763713000000.${id}`).toString('base64url')}=`],
])('a cursor that this list did not hand out is refused: %s', (_, cursor) => {
  expect(() => decodeHeadsCursor(cursor)).toThrow(NudgeError);
});

test('whatever text comes, it is a position or invalid_request', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200, unit: 'binary' }), (cursor) => {
      try {
        decodeHeadsCursor(cursor);
      } catch (error) {
        expect(error).toBeInstanceOf(NudgeError);
        expect(error).toHaveProperty('code', 'invalid_request');
      }
    }),
  );
});
