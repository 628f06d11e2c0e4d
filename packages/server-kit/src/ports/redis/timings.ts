/** How long things may take before they count as lost, ms. Tests shorten them. */
export interface RedisTimings {
  /** An answer to a command or a publish. */
  readonly commandMs: number;
  /** An answer in the path of every request: the rate limiter. */
  readonly hotCommandMs: number;
  /** A connection, until the server says that it is ready. */
  readonly connectMs: number;
  /** Wait before the second attempt to connect; it doubles up to the longest, each time with jitter. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Between two canaries, and two probes. */
  readonly canaryEveryMs: number;
  /** A subscriber that has not heard a canary for so long is deaf. */
  readonly canaryDeadlineMs: number;
  /** After a failure commands are refused at once for so long. */
  readonly restMs: number;
  /** Longest wait for Redis when a process starts; it serves without it afterwards. */
  readonly startMs: number;
}

export const defaultRedisTimings: RedisTimings = {
  commandMs: 500,
  hotCommandMs: 150,
  connectMs: 2_000,
  retryMinMs: 50,
  retryMaxMs: 2_000,
  canaryEveryMs: 1_000,
  canaryDeadlineMs: 3_000,
  restMs: 1_000,
  startMs: 3_000,
};

/** Wait before attempt number `attempt` (from 0), ms: doubling, half of it random, so that a thousand processes do not come at once. */
export function retryDelayMs(attempt: number, { retryMinMs, retryMaxMs }: RedisTimings): number {
  const ceiling = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(attempt, 16));
  return ceiling * (0.5 + Math.random() / 2);
}
