import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

export interface BlockChange {
  readonly appId: string;
  /** Who blocks, or no longer does. */
  readonly userId: string;
  readonly otherId: string;
  readonly blocked: boolean;
  /** The pair's direct conversation, whose id is derived; it need not exist. */
  readonly conversationId: string;
  readonly outboxId: string;
  /** Users whom one user may block; without it as many as there are. */
  readonly bound?: number;
}

export interface BlockRow {
  readonly userId: string;
  /** RFC 3339, three decimals. */
  readonly createdAt: string;
}

/**
 * Function `set_block` (migrations/20261121000009_reads_and_users).
 *
 * Locks: both user rows in the order of apply_feed, at most 1 s. Index: `chat_user_pkey`, `block_pkey`, `feed_pkey`.
 * Rejected: counting before the call (two at once would both see room for one); the feed row by apply_feed afterwards (a crash between the
 * two would leave the blocker's devices without it).
 */
const set: Statement = {
  name: 'set_block',
  text: 'select changed, feed_version as "feedVersion" from set_block($1, $2, $3, $4, $5, $6, $7, $8)',
};

/**
 * Function `mirror_block`.
 *
 * Locks: the conversation, then its two members in user order, at most 1 s. Index: `conversation_pkey`, `member_pkey`, `block_pkey`.
 * Rejected: writing it inside of set_block (locks of users and conversations in one transaction, in an order that no append has).
 */
const mirror: Statement = { name: 'mirror_block', text: 'select mirror_block($1, $2) as changed' };

/** Index: a range of `block_pkey`. No lock. */
const page: Statement = {
  name: 'block_page',
  text: `select b.other_id as "userId", rfc3339(b.created_at) as "createdAt" from block b
    where b.app_id = $1 and b.user_id = $2 and b.kind = 'blocks' and b.other_id > $3 order by b.other_id limit $4`,
};

/** Index: a range of `block_pkey` per user, both kinds. No lock. Ids contain no line break, so they come as one text. */
const between: Statement = {
  name: 'blocked_between',
  text: `select u.id, x.ids from unnest($2::text[]) u (id)
    cross join lateral (
      select string_agg(distinct b.other_id, E'\\n' order by b.other_id) as ids from block b where b.app_id = $1 and b.user_id = u.id offset 0) x
    where x.ids is not null`,
};

/** Index: `block_pkey`, one row. No lock. */
const one: Statement = {
  name: 'blocked_by',
  text: `select exists (select from block b where b.app_id = $1 and b.user_id = $2 and b.kind = 'blocked_by' and b.other_id = $3) as blocked`,
};

/**
 * Blocks a user or takes it back. `changed` false: it stood so already, one of the two is no user, or the bound is reached. `feedVersion`:
 * of the blocker, to be told to the blocker's devices; null unless changed. `mirrorBlock` comes next.
 *
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export function setBlock(pool: Pool, change: BlockChange): Promise<{ changed: boolean; feedVersion: number | null }> {
  const { appId, userId, otherId, blocked, conversationId, outboxId, bound = null } = change;
  const values = [userId, appId, userId, otherId, blocked, conversationId, outboxId, bound];
  return runOne<{ changed: boolean; feedVersion: number | null }>(pool, set, values);
}

/**
 * Brings a direct conversation in line with who blocks whom; answers whether that changed anything. To be called after every `setBlock`
 * and after every creation of a direct conversation, each time after the commit. No such conversation: nothing to do.
 *
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export async function mirrorBlock(
  pool: Pool,
  target: { readonly appId: string; readonly conversationId: string },
): Promise<{ changed: boolean }> {
  return runOne<{ changed: boolean }>(pool, mirror, [target.conversationId, target.appId]);
}

/** Whom a user blocks, after `afterUserId` ('' or null = from the start), ascending by bytes, at most `limit`. */
export function listBlocks(pool: Pool, appId: string, userId: string, afterUserId: string | null, limit: number): Promise<BlockRow[]> {
  return run<BlockRow & Record<string, unknown>>(pool, page, [appId, userId, afterUserId ?? '', limit]);
}

/** Per user the ids between whom and the user stands a block, whoever set it; users without any have no entry. */
export async function blockedBetween(pool: Pool, appId: string, userIds: readonly string[]): Promise<Map<string, string[]>> {
  if (userIds.length === 0) return new Map();
  const rows = await run<{ id: string; ids: string }>(pool, between, [appId, userIds]);
  return new Map(rows.map((row) => [row.id, row.ids.split('\n')]));
}

/** Whether `userId` is blocked by `otherId`. */
export async function isBlockedBy(pool: Pool, appId: string, userId: string, otherId: string): Promise<boolean> {
  return (await runOne<{ blocked: boolean }>(pool, one, [appId, userId, otherId])).blocked;
}
