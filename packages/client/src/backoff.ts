/** Bounds of a backoff, ms. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Repeated connections and syncs. */
export const RECONNECT_BACKOFF: Backoff = { baseMs: 500, capMs: 30_000 };
/** Repeated requests: the server is there, so they come back sooner. */
export const REQUEST_BACKOFF: Backoff = { baseMs: 200, capMs: 10_000 };

/**
 * How long to wait before try `attempt` + 1, ms: anywhere between nothing and a bound that doubles (full jitter), so that clients
 * that failed together do not return together. What the server asked for (`afterMs`) is a floor; the jitter goes on top.
 */
export function backoffMs({ baseMs, capMs }: Backoff, attempt: number, random: number, afterMs = 0): number {
  const bound = Math.min(capMs, baseMs * 2 ** Math.min(Math.max(attempt - 1, 0), 20));
  return Math.round(Math.max(0, afterMs) + random * bound);
}
