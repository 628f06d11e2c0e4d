import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

/** One user's reaction. All three together are the keyset cursor. */
export interface ReactionRow {
  readonly emoji: string;
  readonly userId: string;
  /** RFC 3339 with three decimals, the precision stored. */
  readonly createdAt: string;
}

const columns = 'r.emoji, r.user_id as "userId", rfc3339(r.created_at) as "createdAt"';

/** Index: a range of `reaction_order`, in its order. No lock. Rejected: `reaction_pkey` (by user, so every reaction would be sorted). */
const ofEmoji: Statement = {
  name: 'reactions_of_emoji',
  text: `select ${columns} from reaction r
    where r.conversation_id = $1 and r.seq = $2 and r.emoji = $3 and (r.created_at, r.user_id) > ($4::timestamptz, $5)
    order by r.created_at, r.user_id limit $6`,
};

/** Index: as above, over all emojis. */
const ofAll: Statement = {
  name: 'reactions_of_entry',
  text: `select ${columns} from reaction r
    where r.conversation_id = $1 and r.seq = $2 and (r.emoji, r.created_at, r.user_id) > ($3, $4::timestamptz, $5)
    order by r.emoji, r.created_at, r.user_id limit $6`,
};

/**
 * Who reacted to an entry after a cursor (null = from the start), at most `limit`: with one emoji by time, with any (`emoji` null) by
 * emoji (bytes), then time.
 */
export function reactionPage(
  pool: Pool,
  conversationId: string,
  seq: number,
  emoji: string | null,
  after: ReactionRow | null,
  limit: number,
): Promise<ReactionRow[]> {
  const time = after?.createdAt ?? '-infinity';
  const values = [conversationId, seq, emoji ?? after?.emoji ?? '', time, after?.userId ?? '', limit];
  return run<ReactionRow & Record<string, unknown>>(pool, emoji === null ? ofAll : ofEmoji, values);
}
