import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

export interface BanRow {
  readonly userId: string;
  /** Null = for ever. */
  readonly bannedUntil: string | null;
}

/** Index: a range of `member_banned`, which knows only those who ever were. No lock. Rejected: `member_pkey` (reads all members). */
const statement: Statement = {
  name: 'ban_list',
  text: `select m.user_id as "userId", rfc3339(m.banned_until) as "bannedUntil" from member m
    where m.conversation_id = $1 and m.user_id > $2 and m.banned_until is not null and m.banned_until > now() order by m.user_id limit $3`,
};

/** Who is banned from a conversation after `afterUserId` ('' or null = from the start), ascending by bytes, at most `limit`. */
export function banList(pool: Pool, conversationId: string, afterUserId: string | null, limit: number): Promise<BanRow[]> {
  return run<BanRow & Record<string, unknown>>(pool, statement, [conversationId, afterUserId ?? '', limit]);
}
