import type pg from 'pg';

const cancelled = new WeakSet<pg.ClientBase>();

/** Where PostgreSQL waits for its synchronous standbys, as its notices name it in every language (`src/backend/replication/syncrep.c`). */
const WAIT_ROUTINE = 'SyncRepWaitForLSN';

/**
 * Notes a commit whose wait for a synchronous standby was cancelled (`pg_cancel_backend`). PostgreSQL reports that as a success with a
 * warning: the transaction is committed here and may be missing on the standby that is promoted next. To acknowledge it would be a
 * promise that nobody keeps, so to us its outcome is unknown.
 *
 * @see https://www.postgresql.org/docs/18/warm-standby.html#SYNCHRONOUS-REPLICATION-HA
 */
export function watchCommitWait(client: pg.ClientBase): void {
  client.on('notice', ({ routine }) => {
    if (routine === WAIT_ROUTINE) cancelled.add(client);
  });
}

/** Whether the wait of a commit on this connection was cancelled since the last call. */
export function commitWaitCancelled(client: pg.ClientBase): boolean {
  return cancelled.delete(client);
}
