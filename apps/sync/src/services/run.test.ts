import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, cut, holds, lastOf, merge, type Run, trim } from './run.ts';

const stretch = (first: number, last: number): Run => ({
  first,
  texts: Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => `e${first + i}`),
});

describe('merge', () => {
  test.each([
    ['nothing kept, read to the head', undefined, stretch(3, 5), 5, stretch(3, 5)],
    ['nothing kept, read short of the head', undefined, stretch(3, 5), 9, undefined],
    ['nothing kept, nothing above the cursor', undefined, stretch(6, 5), 5, stretch(6, 5)],
    ['the next entries', stretch(3, 5), stretch(6, 7), 7, stretch(3, 7)],
    ['an overlap', stretch(3, 5), stretch(4, 7), 7, stretch(3, 7)],
    ['a longer stretch', stretch(3, 5), stretch(2, 7), 7, stretch(2, 7)],
    ['a hole', stretch(3, 5), stretch(7, 8), 8, stretch(7, 8)],
    ['new entries short of the head', stretch(3, 5), stretch(6, 7), 9, undefined],
    ['older entries that join', stretch(5, 6), stretch(2, 4), 6, stretch(2, 6)],
    ['older entries that do not join', stretch(5, 6), stretch(1, 2), 6, stretch(5, 6)],
    ['an answer from an older state', stretch(3, 7), stretch(4, 5), 5, stretch(3, 7)],
  ])('%s', (_, kept, read, head, expected) => {
    expect(merge(kept, read, head)).toEqual(expected);
  });

  test('what is merged is a stretch of the log that ends at the higher head', () => {
    const arbitrary = fc.record({
      first: fc.integer({ min: 1, max: 9 }),
      last: fc.integer({ min: 1, max: 9 }),
      head: fc.integer({ min: 1, max: 9 }),
      keptFirst: fc.integer({ min: 1, max: 9 }),
      keptLast: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ first, last, head, keptFirst, keptLast }) => {
        fc.pre(last <= head && first <= last + 1 && keptFirst <= keptLast + 1);
        const kept = stretch(keptFirst, keptLast);
        const merged = merge(kept, stretch(first, last), head);
        if (merged === undefined) {
          expect(head).toBeGreaterThan(keptLast);
          return;
        }
        expect(merged).toEqual(stretch(merged.first, lastOf(merged)));
        expect(lastOf(merged)).toBe(Math.max(head, keptLast));
      }),
    );
  });
});

test('a run holds what lies within it, and every empty range', () => {
  expect([holds(stretch(3, 5), 3, 5), holds(stretch(3, 5), 2, 4), holds(stretch(3, 5), 5, 6), holds(stretch(3, 5), 9, 8)]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(cut(stretch(3, 5), 4, 5)).toEqual(['e4', 'e5']);
  expect(cut(stretch(3, 5), 6, 5)).toEqual([]);
});

test('trimming keeps the newest within both bounds', () => {
  expect(trim(stretch(1, 9), 3, 10_000)).toEqual(stretch(7, 9));
  expect(trim(stretch(1, 9), 99, 2 * bytesOf('e1'))).toEqual(stretch(8, 9));
  expect(trim(stretch(1, 9), 99, 1)).toEqual(stretch(10, 9));
});
