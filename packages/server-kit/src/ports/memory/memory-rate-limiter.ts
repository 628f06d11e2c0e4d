import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../../clock.ts';
import type { RateDecision, RateLimit, RateLimiter } from '../rate-limiter.ts';

/**
 * GCRA (the generic cell rate algorithm of ATM traffic management): one number per key, the time at which all points are free again. It needs
 * no timer and no sweep; keys not used for long are dropped by the bound.
 */
export class MemoryRateLimiter implements RateLimiter {
  readonly #clock: Clock;
  readonly #buckets: LRUCache<string, { fullAt: number }>;

  constructor(options: { readonly clock?: Clock; readonly keys?: number } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#buckets = new LRUCache({ max: options.keys ?? 100_000 });
  }

  consume(key: string, limit: RateLimit, cost = 1): RateDecision {
    const now = this.#clock.now();
    const perPoint = limit.windowMs / limit.points;
    const bucket = this.#buckets.get(key);
    // A clock set back must not lock a key out for longer than its window.
    const from = bucket === undefined || bucket.fullAt < now ? now : Math.min(bucket.fullAt, now + limit.windowMs);
    const fullAt = from + perPoint * cost;
    const wait = fullAt - now - limit.windowMs;
    // The sum of many fractions may pass the window by a rounding error.
    if (wait > 1e-3) {
      return {
        allowed: false,
        remaining: Math.max(0, Math.floor((limit.windowMs - (from - now)) / perPoint + 1e-6)),
        resetMs: Math.ceil(wait),
      };
    }
    if (bucket === undefined) this.#buckets.set(key, { fullAt });
    else bucket.fullAt = fullAt;
    return {
      allowed: true,
      remaining: Math.max(0, Math.floor((limit.windowMs - (fullAt - now)) / perPoint + 1e-6)),
      resetMs: Math.ceil(fullAt - now),
    };
  }
}
