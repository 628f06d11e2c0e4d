import { expect, it } from 'vitest';
import { ManualClock, rateLimiterConformance } from '../../testing/index.ts';
import { MemoryRateLimiter } from './memory-rate-limiter.ts';

rateLimiterConformance(() => {
  const clock = new ManualClock();
  return { limiter: new MemoryRateLimiter({ clock }), advance: (ms) => clock.advance(ms) };
});

it('refills evenly', () => {
  const clock = new ManualClock();
  const limiter = new MemoryRateLimiter({ clock });
  const limit = { points: 300, windowMs: 10_000 };
  for (let i = 0; i < 300; i++) expect(limiter.consume('k', limit).allowed).toBe(true);
  expect(limiter.consume('k', limit)).toEqual({ allowed: false, remaining: 0, resetMs: 34 });
  clock.advance(1_000);
  let allowed = 0;
  while (limiter.consume('k', limit).allowed) allowed++;
  expect(allowed).toBe(30);
});

it('locks no one out when the clock is set back', () => {
  let now = 1_000_000;
  const limiter = new MemoryRateLimiter({ clock: { now: () => now, after: () => () => undefined } });
  const limit = { points: 5, windowMs: 1_000 };
  limiter.consume('k', limit, 5);
  now -= 500_000;
  expect(limiter.consume('k', limit).allowed).toBe(false);
  now += 1_000;
  expect(limiter.consume('k', limit).allowed).toBe(true);
});

it('remembers a bounded number of keys', () => {
  const clock = new ManualClock();
  const limiter = new MemoryRateLimiter({ clock, keys: 2 });
  const limit = { points: 1, windowMs: 1_000 };
  for (const key of ['a', 'b', 'c']) limiter.consume(key, limit);
  expect(limiter.consume('c', limit).allowed).toBe(false);
  expect(limiter.consume('a', limit).allowed).toBe(true);
});
