import { LockTimeout } from '../errors.ts';
import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

/** A conversation whose copies are out of date: what they hold of it must be dropped. */
export interface TouchedConversation {
  readonly appId: string;
  readonly conversationId: string;
  readonly memberVersion: number;
  readonly head: number;
}

/** Index: `entry_expiry`, longest due first. No lock. */
const due: Statement = {
  name: 'due_expiries',
  text: `select e.conversation_id as "conversationId", e.seq from entry e
    where e.expires_at <= now() and e.expires_at is not null and e.redacted_at is null order by e.expires_at limit $1`,
};

/**
 * Function `expire_entries` (migrations/20261121000009_reads_and_users).
 *
 * Locks: conversations in id order, at most 2 s each. Index: `conversation_pkey`, `entry_pkey` and those of what hangs on an entry.
 * Rejected: wiping without the conversation's lock (an edit that was judged before would write its body back).
 */
const expire: Statement = {
  name: 'expire_entries',
  text: `select app_id as "appId", conversation_id as "conversationId", member_version as "memberVersion", head from expire_entries($1, $2, $3)`,
};

interface Due {
  readonly conversationId: string;
  readonly seq: number;
}

/**
 * Wipes at most `limit` entries whose time is over. `more`: call again, others may be due. A conversation whose row stays locked is left for
 * the next call, and does not hold up the rest.
 *
 * @throws {DatabaseUnavailable | TransactionConflict}
 */
export async function expireEntries(pool: Pool, limit: number): Promise<{ touched: TouchedConversation[]; more: boolean }> {
  const rows = await run<Due & Record<string, unknown>>(pool, due, [limit]);
  const touched = await wipe(pool, rows);
  return { touched, more: rows.length === limit && touched.length > 0 };
}

async function wipe(pool: Pool, rows: readonly Due[]): Promise<TouchedConversation[]> {
  const [first] = rows;
  if (first === undefined) return [];
  try {
    const values = [first.conversationId, rows.map((row) => row.conversationId), rows.map((row) => row.seq)];
    return await run<TouchedConversation & Record<string, unknown>>(pool, expire, values);
  } catch (error) {
    if (!(error instanceof LockTimeout)) throw error;
    const ids = [...new Set(rows.map((row) => row.conversationId))];
    if (ids.length === 1) return [];
    const touched: TouchedConversation[] = [];
    for (const id of ids)
      touched.push(
        ...(await wipe(
          pool,
          rows.filter((row) => row.conversationId === id),
        )),
      );
    return touched;
  }
}
