import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { applyFeed } from './apply-feed.ts';

export interface NoticeKey {
  readonly appId: string;
  readonly userId: string;
  readonly noticeId: string;
}

/** A notice is added once and dismissed once, so these order its two states whichever is written first. */
const ADDED = 1;
const DISMISSED = 2;

/** Index: `feed_pkey`. No lock. */
const known: Statement = {
  name: 'notice_known',
  text: 'select from feed f where f.app_id = $1 and f.user_id = $2 and f.subject = $3',
};

/**
 * Puts a notice into a user's feed, `body` a JSON text; answers the feed version, null when it was there already (dismissed ones stay
 * dismissed).
 *
 * @throws {DataError | LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export async function addNotice(pool: Pool, { noticeId, body, ...user }: NoticeKey & { readonly body: string }): Promise<number | null> {
  const [version] = await applyFeed(pool, [{ ...user, subject: `notice/${noticeId}`, srcVersion: ADDED, state: `{"body":${body}}` }]);
  return version ?? null;
}

/**
 * Dismisses a notice on all of the user's devices. `found` false: the user never had it; `version` null: it was dismissed already.
 *
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export async function dismissNotice(pool: Pool, { noticeId, ...user }: NoticeKey): Promise<{ found: boolean; version: number | null }> {
  const subject = `notice/${noticeId}`;
  const rows = await run(pool, known, [user.appId, user.userId, subject]);
  if (rows.length === 0) return { found: false, version: null };
  const [version] = await applyFeed(pool, [{ ...user, subject, srcVersion: DISMISSED, state: '{"dismissed":true}' }]);
  return { found: true, version: version ?? null };
}
