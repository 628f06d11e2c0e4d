import { expect, test } from 'vitest';
import { planCatchUp } from './catch-up-plan.ts';

const limits = { total: 1000, page: 200, tooLong: 1000 };
const next = (seq: number, limit: number) => ({ tooLong: false, window: { kind: 'after', seq, limit } });
const newest = (seq: number, limit: number) => ({ tooLong: true, window: { kind: 'after', seq, limit } });

test.each([
  ['all that was missed', { after: 30, start: 1, head: 50 }, next(30, 20)],
  ['nothing missed', { after: 50, start: 1, head: 50 }, next(50, 0)],
  ['a page of what was missed', { after: 0, start: 1, head: 900 }, next(0, 200)],
  ['exactly as far behind as is paged', { after: 0, start: 1, head: 1000 }, next(0, 200)],
  ['too far behind', { after: 0, start: 1, head: 1001 }, newest(801, 200)],
  ['below the visible start', { after: 3, start: 5, head: 9 }, newest(4, 5)],
  ['just below the visible start', { after: 4, start: 5, head: 9 }, next(4, 5)],
  ['a start beyond the head', { after: 3, start: 10, head: 9 }, newest(9, 0)],
])('%s', (_, log, expected) => {
  expect(planCatchUp([log], limits)).toEqual([expected]);
});

test('when there is not room for all, every log gets a share', () => {
  const logs = Array.from({ length: 50 }, (_, i) => ({ after: 0, start: 1, head: i === 0 ? 5 : 200 }));
  const pages = planCatchUp(logs, limits);
  expect(pages[0]?.window.limit).toBe(5);
  expect(pages.slice(1).every(({ window }) => window.limit >= 20)).toBe(true);
  expect(pages.reduce((sum, { window }) => sum + window.limit, 0)).toBe(1000);
});

test('a log that is too long and gets no room starts again at its head', () => {
  const logs = [
    { after: 0, start: 1, head: 5000 },
    { after: 0, start: 1, head: 7000 },
  ];
  expect(planCatchUp(logs, { ...limits, total: 1 })).toEqual([newest(4999, 1), newest(7000, 0)]);
});
