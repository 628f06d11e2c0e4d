import { expect, test } from 'vitest';
import { fasterThan } from './faster-than.ts';

/** Takes these times, one after the other. */
const taking = (...ms: number[]) => {
  const left = [...ms];
  return { measure: async () => left.shift() ?? Number.NaN, left };
};

test('one slow try is forgiven', async () => {
  const { measure, left } = taking(1_000, 1_000, 999, 5);
  await fasterThan(1_000, measure);
  expect(left).toEqual([5]);
});

test('what is always slow fails with what it took', async () => {
  await expect(fasterThan(1_000, taking(1_000, 2_000, 3_000).measure)).rejects.toThrow('took 1000, 2000, 3000 ms');
});
