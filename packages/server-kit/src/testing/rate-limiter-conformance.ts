import { beforeEach, describe, expect, it } from 'vitest';
import type { RateLimiter } from '../ports/rate-limiter.ts';

/** A limiter and a way to let its time pass. */
export interface RateLimiterHarness {
  readonly limiter: RateLimiter;
  advance(ms: number): void | Promise<void>;
}

/** What every rate limiter keeps. `create` opens a new one; keys are new in every test. */
export function rateLimiterConformance(create: () => RateLimiterHarness | Promise<RateLimiterHarness>): void {
  describe('rate limiter', () => {
    let harness: RateLimiterHarness;
    let key: string;
    let count = 0;
    const limit = { points: 5, windowMs: 1_000 };
    const consume = (cost?: number, of = key) => harness.limiter.consume(of, limit, cost);
    const burst = async (requests: number) => {
      let allowed = 0;
      for (let i = 0; i < requests; i++) if ((await consume()).allowed) allowed++;
      return allowed;
    };
    beforeEach(async () => {
      harness = await create();
      key = `${process.pid}-${Date.now()}-${count++}`;
    });

    it('allows exactly the points at once, counting down', async () => {
      for (let left = 4; left >= 0; left--) expect(await consume()).toMatchObject({ allowed: true, remaining: left });
      expect(await consume()).toMatchObject({ allowed: false, remaining: 0 });
    });

    it('says when to come back, and keeps its word', async () => {
      await burst(5);
      const { allowed, resetMs } = await consume();
      expect(allowed).toBe(false);
      expect(resetMs).toBeGreaterThan(0);
      expect(resetMs).toBeLessThanOrEqual(limit.windowMs);
      await harness.advance(resetMs);
      expect((await consume()).allowed).toBe(true);
    });

    it('gives all points back after a window without requests', async () => {
      await burst(5);
      await harness.advance(limit.windowMs);
      expect(await burst(10)).toBe(5);
    });

    it('allows at most twice the points in any window', async () => {
      let allowed = 0;
      for (let step = 0; step < 10; step++) {
        allowed += await burst(10);
        await harness.advance(limit.windowMs / 10 - 1);
      }
      expect(allowed).toBeGreaterThanOrEqual(5);
      expect(allowed).toBeLessThanOrEqual(10);
    });

    it('does not charge a refused request', async () => {
      await burst(5);
      for (let i = 0; i < 50; i++) await consume();
      await harness.advance(limit.windowMs);
      expect((await consume()).allowed).toBe(true);
    });

    it('takes requests that cost more than a point', async () => {
      expect(await consume(3)).toMatchObject({ allowed: true, remaining: 2 });
      expect((await consume(3)).allowed).toBe(false);
      expect(await consume(2)).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('never allows a cost above the points', async () => {
      expect((await consume(6)).allowed).toBe(false);
      expect((await consume(5)).allowed).toBe(true);
    });

    it('counts keys apart', async () => {
      await burst(5);
      expect((await consume(1, `${key}-other`)).allowed).toBe(true);
    });
  });
}
