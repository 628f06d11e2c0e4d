import { expect, test } from 'vitest';
import { createBarrier, runTogether } from './barrier.ts';

test('nobody passes before the last one has arrived', async () => {
  const barrier = createBarrier(3);
  const passed: string[] = [];
  const enter = async (name: string) => {
    await barrier.arrive();
    passed.push(name);
  };
  const early = [enter('a'), enter('b')];
  await new Promise((resolve) => setImmediate(resolve));
  expect(passed).toEqual([]);
  expect(barrier.waiting).toBe(2);
  await Promise.all([...early, enter('c')]);
  expect(passed.toSorted()).toEqual(['a', 'b', 'c']);
});

test('a barrier can be used again', async () => {
  const barrier = createBarrier(2);
  await Promise.all([barrier.arrive(), barrier.arrive()]);
  await Promise.all([barrier.arrive(), barrier.arrive()]);
  expect(barrier.waiting).toBe(0);
});

test('who waits in vain learns how many were missing', async () => {
  await expect(createBarrier(2, 10).arrive()).rejects.toThrow('1 of 2 had arrived');
});

test('runTogether reports every outcome', async () => {
  const outcomes = await runTogether([() => Promise.resolve('fine'), () => Promise.reject(new Error('broken'))]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected']);
});
