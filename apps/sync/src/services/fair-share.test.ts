import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fairShare } from './fair-share.ts';

test.each([
  [[20, 20, 20], 1000, [20, 20, 20]],
  [[5, 200, 200], 105, [5, 50, 50]],
  [[200, 5, 200], 106, [51, 5, 50]],
  [[1, 1, 1], 2, [1, 1, 0]],
  [[0, 0], 10, [0, 0]],
  [[], 10, []],
])('%j of %i', (demands, budget, expected) => {
  expect(fairShare(demands, budget)).toEqual(expected);
});

test('all of the budget that is wanted is given, and nobody short has less than another by more than one', () => {
  const demands = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 100 });
  fc.assert(
    fc.property(demands, fc.integer({ min: 0, max: 1000 }), (wanted, budget) => {
      const grants = fairShare(wanted, budget);
      const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
      expect(sum(grants)).toBe(Math.min(budget, sum(wanted)));
      const most = Math.max(0, ...grants);
      grants.forEach((grant, i) => {
        const wants = wanted[i] ?? 0;
        expect(grant).toBeLessThanOrEqual(wants);
        if (grant < wants) expect(grant).toBeGreaterThanOrEqual(most - 1);
      });
    }),
  );
});
