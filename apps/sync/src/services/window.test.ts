import { expect, test } from 'vitest';
import { cursorOf, newestWindow, rangeOf, type Window } from './window.ts';

const after = (seq: number, limit = 3): Window => ({ kind: 'after', seq, limit });
const before = (seq: number, limit = 3): Window => ({ kind: 'before', seq, limit });

test.each([
  ['after a cursor', after(4), 1, 10, { from: 5, to: 7, more: true }],
  ['up to the head', after(8), 1, 10, { from: 9, to: 10, more: false }],
  ['at the head', after(10), 1, 10, { from: 11, to: 10, more: false }],
  ['below the visible start', after(0), 5, 10, { from: 5, to: 7, more: true }],
  ['before a seq', before(8), 1, 10, { from: 5, to: 7, more: true }],
  ['down to the visible start', before(8), 6, 10, { from: 6, to: 7, more: false }],
  ['before the first', before(1), 1, 10, { from: 1, to: 0, more: false }],
  ['below the visible start backwards', before(4), 6, 10, { from: 6, to: 3, more: false }],
  ['the newest page', newestWindow(4), 1, 10, { from: 7, to: 10, more: true }],
  ['the newest page of a short log', newestWindow(40), 1, 10, { from: 1, to: 10, more: false }],
])('%s', (_, window, start, head, expected) => {
  expect(rangeOf(window, start, head)).toEqual(expected);
});

test('a window names the seq that its log must have reached', () => {
  expect([cursorOf(after(4)), cursorOf(before(8)), cursorOf(before(0)), cursorOf(newestWindow(5))]).toEqual([4, 7, 0, 0]);
});
