import { classify } from './errors.ts';
import type { Pool } from './pool.ts';

/** Held while its connection lives. */
export interface Lease extends AsyncDisposable {
  /** Aborts when the connection that carries the lease is lost: stop what the lease protects. */
  readonly lost: AbortSignal;
}

/**
 * Takes a named lease, or answers null when someone else holds it. It is a session-level advisory lock on a connection kept for it:
 * PostgreSQL frees it the moment its holder dies, with no clock and no renewal. A lease table needs both, and a holder that stalls
 * past its expiry is not stopped by it either; what a lease protects here (sweeping) is idempotent, so two holders cost work, not truth.
 * It needs a connection to one server, not one from a pooler in transaction mode.
 *
 * @throws {DatabaseUnavailable}
 */
export async function tryLease(pool: Pool, name: string): Promise<Lease | null> {
  try {
    const client = await pool.connect();
    const lost = new AbortController();
    const onLost = (): void => lost.abort();
    client.once('error', onLost);
    client.once('end', onLost);
    try {
      const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 0)) as held', [
        `nudge/${name}`,
      ]);
      if (rows[0]?.held !== true) {
        client.off('error', onLost);
        client.off('end', onLost);
        client.release();
        return null;
      }
    } catch (error) {
      client.release(true);
      throw error;
    }
    let released = false;
    return {
      lost: lost.signal,
      // Closing the connection frees the lock, whatever state it is in.
      async [Symbol.asyncDispose]() {
        if (released) return;
        released = true;
        client.off('end', onLost);
        client.release(true);
      },
    };
  } catch (error) {
    throw classify(error);
  }
}
