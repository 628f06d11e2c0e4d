import type { Clock } from '../../clock.ts';
import { MemoryRateLimiter } from '../memory/memory-rate-limiter.ts';
import type { RateDecision, RateLimit, RateLimiter } from '../rate-limiter.ts';
import type { RedisConnection } from './connection.ts';
import { Script } from './script.ts';

/**
 * GCRA as in memory, by the server's clock: the key holds the time, in ms, at which all points are free again, and goes when that has come.
 * With a time as the last argument that one counts, and the server's clock does not end the key before it.
 * Answers {allowed, remaining, ms until more are free}. A number is written with all its digits, since Lua's `tostring` keeps only 14.
 */
const consumeScript = new Script(`
local points, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local rounding = 1e-6
local now = tonumber(ARGV[4])
local kept = 60000
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
  kept = 0
end
local per = window / points
local free = tonumber(redis.call('GET', KEYS[1]) or now)
free = math.min(math.max(free, now), now + window)
local full = free + per * cost
local wait = full - now - window
local allowed = wait <= rounding
if allowed then
  free = full
  redis.call('SET', KEYS[1], string.format('%.4f', free), 'PX', math.max(1, math.ceil(free - now)) + kept)
end
local remaining = math.max(0, math.floor((window - (free - now)) / per + 1e-3))
if allowed then return {1, remaining, math.ceil(full - now)} end
return {0, remaining, math.ceil(wait)}
`);

/**
 * One limit for all processes. While Redis is away each process counts by itself, from then on: a limit is then as many times as loose as
 * there are processes, and no request waits.
 */
export class RedisRateLimiter implements RateLimiter {
  readonly #connection: RedisConnection;
  readonly #fallback: RateLimiter;
  readonly #prefix: string;
  readonly #clock: Clock | undefined;

  /** `clock` is instead of the server's, so that tests need not wait. */
  constructor(options: {
    readonly connection: RedisConnection;
    readonly fallback?: RateLimiter;
    readonly prefix?: string;
    readonly clock?: Clock;
  }) {
    this.#connection = options.connection;
    this.#clock = options.clock;
    this.#fallback = options.fallback ?? new MemoryRateLimiter();
    this.#prefix = `${options.prefix ?? options.connection.prefix}rate/`;
  }

  consume(key: string, limit: RateLimit, cost = 1): RateDecision | Promise<RateDecision> {
    if (this.#connection.resting) return this.#fallback.consume(key, limit, cost);
    return this.#ask(key, limit, cost);
  }

  async #ask(key: string, limit: RateLimit, cost: number): Promise<RateDecision> {
    try {
      const { timings } = this.#connection;
      const answer = await this.#connection.run(
        (commands) => consumeScript.run(commands, [this.#prefix + key], [limit.points, limit.windowMs, cost, this.#clock?.now() ?? '']),
        timings.hotCommandMs,
      );
      if (!Array.isArray(answer)) throw new TypeError('The rate script answered something else');
      const [allowed, remaining, resetMs] = answer.map(Number);
      return { allowed: allowed === 1, remaining: remaining ?? 0, resetMs: resetMs ?? 0 };
    } catch (error) {
      this.#connection.reported(error);
      return this.#fallback.consume(key, limit, cost);
    }
  }
}
