/** So many points per window. */
export interface RateLimit {
  readonly points: number;
  readonly windowMs: number;
}

/** `remaining` points may be spent at once; after `resetMs` more are: the full number when allowed, enough for this request when refused. */
export interface RateDecision {
  readonly allowed: boolean;
  readonly remaining: number;
  readonly resetMs: number;
}

/**
 * Counts requests per key. At most `points` at one instant and at most twice that in any window; after a window without requests the full
 * number is free again. A refused request costs nothing. Answers synchronously where it can, since it stands in every hot path.
 */
export interface RateLimiter {
  consume(key: string, limit: RateLimit, cost?: number): RateDecision | Promise<RateDecision>;
}
