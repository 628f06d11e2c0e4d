import { NudgeError } from '@nudge/server-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeReactionsCursor, encodeReactionsCursor } from './reactions-cursor.ts';

test('a place survives the way through a cursor', () => {
  const time = fc.date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('5000-01-01T00:00:00Z'), noInvalidDate: true });
  const userId = fc.stringMatching(/^[A-Za-z0-9_.:@-]{1,64}$/);
  fc.assert(
    fc.property(time, userId, fc.constantFrom('👍', '❤️', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '👨‍👩‍👧‍👦'), (date, user, emoji) => {
      const place = { createdAt: date.toISOString(), userId: user, emoji };
      const cursor = encodeReactionsCursor(place);
      expect(cursor.length).toBeLessThanOrEqual(200);
      expect(decodeReactionsCursor(cursor)).toEqual(place);
    }),
  );
});

test('whatever text comes, it is a place or invalid_request', () => {
  const near = fc.tuple(fc.string(), fc.base64String(), fc.string()).map(([time, emoji, user]) => `1.${time}.${emoji}.${user}`);
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ maxLength: 200, unit: 'binary' })), (cursor) => {
      try {
        decodeReactionsCursor(cursor);
      } catch (error) {
        expect(error).toBeInstanceOf(NudgeError);
        expect(error).toHaveProperty('code', 'invalid_request');
      }
    }),
  );
});
