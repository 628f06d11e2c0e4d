import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

export interface FeedItem {
  readonly appId: string;
  readonly userId: string;
  /** `member/<convId>`, `read/<convId>`, `pref/<convId>`, `block/<userId>`, `notice/<uuid>`. */
  readonly subject: string;
  /** The newest wins; null = previous + 1, and a state equal to the present one changes nothing. */
  readonly srcVersion: number | null;
  /** JSON text of an object. */
  readonly state: string;
  /**
   * Merge shallowly into the present state; a null value removes its key. Default: the state is absolute.
   * `hiddenSeq` comes with the `hideVersion` of its membership (see `membershipFeed`): one that is not higher than the present one
   * leaves both as they are, so mirrors of it may arrive in any order beside other preferences.
   */
  readonly merge?: boolean;
}

/**
 * Function `apply_feed` (migrations/20261121000005_feed, 20261121000009_reads_and_users).
 *
 * Locks: user rows in (app_id, id) order, at most 1 s. Index: `chat_user_pkey`, `feed_pkey`; plans pinned by the function.
 * Rejected: a sequence for versions (a lower version could commit after a higher one was pulled); one call per user (ten members
 * joining cost ten round trips and ten commits; 500 users in one call take 22 ms).
 */
const statement: Statement = {
  name: 'apply_feed',
  text: 'select version from apply_feed($1, $2, $3, $4, $5, $6::text[]::jsonb[], $7) order by ord',
};

/**
 * Applies states to users' feeds, any number of users in one transaction; idempotent and order-free per subject.
 * Answers the version each item got, null where it changed nothing.
 *
 * @throws {DataError} an unknown app. @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export async function applyFeed(pool: Pool, items: readonly FeedItem[]): Promise<(number | null)[]> {
  const [first] = items;
  if (first === undefined) return [];
  const rows = await run<{ version: number | null }>(pool, statement, [
    first.userId,
    items.map((item) => item.appId),
    items.map((item) => item.userId),
    items.map((item) => item.subject),
    items.map((item) => item.srcVersion),
    items.map((item) => item.state),
    items.map((item) => item.merge ?? false),
  ]);
  return rows.map((row) => row.version);
}
