import { ManualClock } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import { RetrySet } from './retry-set.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('tries again what is deleted and added anew while it is tried, and not what is only deleted', async () => {
  const clock = new ManualClock();
  const tried: string[] = [];
  let pause = Promise.withResolvers<boolean>();
  const set = new RetrySet<string>({
    clock,
    retryMs: 1_000,
    attempt(item) {
      tried.push(item);
      return pause.promise;
    },
  });
  set.add('a');
  clock.advance(1_500);
  set.delete('a');
  set.add('a');
  pause.resolve(true);
  await turn();
  expect([set.size, tried.length]).toEqual([0, 2]);
  pause = Promise.withResolvers();
  set.add('b');
  clock.advance(1_500);
  set.delete('b');
  pause.resolve(false);
  await turn();
  expect([set.size, clock.pending]).toEqual([0, 0]);
  expect(tried).toEqual(['a', 'a', 'b']);
});

it('waits a while between rounds, never the same for all', () => {
  const waits = new Set<number>();
  for (let i = 0; i < 20; i++) {
    const clock = new ManualClock(0);
    const set = new RetrySet<string>({ clock, retryMs: 1_000, attempt: () => Promise.resolve(false) });
    let at = 0;
    set.add('a');
    while (clock.pending > 0) {
      clock.advance(1);
      at++;
    }
    waits.add(at);
    expect(at).toBeGreaterThanOrEqual(500);
    expect(at).toBeLessThanOrEqual(1_501);
    set.stop();
  }
  expect(waits.size).toBeGreaterThan(5);
});
