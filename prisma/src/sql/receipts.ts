import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** How far a member is. What is read is delivered, so `deliveredSeq` is never below `readSeq`. */
export interface ReceiptRow {
  readonly userId: string;
  readonly readSeq: number;
  readonly deliveredSeq: number;
}

const current = 'm.left_seq is null and (m.banned_until is null or m.banned_until <= now())';

/**
 * Index: `member_pkey`, a range of one conversation after the key. No lock. A position begins at the joining, so of an entry before it
 * says nothing: with `$4`, who joined later is left out.
 */
const page: Statement = {
  name: 'receipt_page',
  text: `select m.user_id as "userId", m.read_seq as "readSeq", greatest(m.delivered_seq, m.read_seq) as "deliveredSeq" from member m
    where m.conversation_id = $1 and m.user_id > $2 and ${current}
      and ($4::bigint is null or m.joined_seq <= $4) order by m.user_id limit $3`,
};

/**
 * Index: `member_pkey`, all members of one conversation. No lock.
 * Rejected: an index on the positions (every read would write to it, and its update could not stay on its page).
 */
const counts: Statement = {
  name: 'receipt_counts',
  text: `select count(*) filter (where m.read_seq >= $2) as "readBy", count(*) filter (where greatest(m.delivered_seq, m.read_seq) >= $2) as "deliveredTo"
    from member m where m.conversation_id = $1 and m.user_id <> $3 and m.joined_seq <= $2 and ${current}`,
};

/**
 * Positions of the current members after `afterUserId` ('' or null = from the start), ascending by bytes, at most `limit`; with `seq` only
 * of those who were members when that entry came.
 */
export function receiptPage(
  pool: Pool,
  conversationId: string,
  afterUserId: string | null,
  limit: number,
  seq: number | null = null,
): Promise<ReceiptRow[]> {
  return run<ReceiptRow & Record<string, unknown>>(pool, page, [conversationId, afterUserId ?? '', limit, seq]);
}

/** How many current members have read and have got the entry, `exceptUserId` (its sender) and those who joined later not counted. */
export function receiptCounts(
  pool: Pool,
  conversationId: string,
  seq: number,
  exceptUserId: string,
): Promise<{ readBy: number; deliveredTo: number }> {
  return runOne<{ readBy: number; deliveredTo: number }>(pool, counts, [conversationId, seq, exceptUserId]);
}
