import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

export interface ReadInput {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
  readonly seq: number;
}

export interface ReadResult {
  /** `not_found`: no such conversation in this app, not a current member, or banned. */
  readonly status: 'ok' | 'unchanged' | 'not_found';
  readonly readSeq: number | null;
  readonly head: number | null;
  /** Exact: countable entries above the read position that are not one's own. */
  readonly unread: number | null;
}

/**
 * Function `mark_read` (migrations/20261121000004_read, 20261121000009_reads_and_users).
 *
 * Locks: member rows in (conversation_id, user_id) order, at most 250 ms; no conversation row, so reading never waits for sending.
 * Index: `member_pkey`, `conversation_pkey`, `entry_pkey`; plans pinned by the function.
 * Rejected: counting unread entries by range (grows with the backlog; `message_no` makes it one lookup); an index on
 * (conversation_id, sender_id, seq) for own entries (one more index on every append, for a count that is mostly zero).
 */
const statement: Statement = {
  name: 'mark_read',
  text: 'select status, read_seq as "readSeq", head, unread from mark_read($1, $2, $3, $4, $5, $6) order by ord',
};

/**
 * Moves read positions forward, many in one round trip; one result per input, in order.
 *
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export function markRead(
  pool: Pool,
  call: { readonly route: string; readonly outboxId: string; readonly inputs: readonly ReadInput[] },
): Promise<ReadResult[]> {
  if (call.inputs.length === 0) return Promise.resolve([]);
  return run<ReadResult & Record<string, unknown>>(pool, statement, [
    call.route,
    call.outboxId,
    call.inputs.map((input) => input.appId),
    call.inputs.map((input) => input.conversationId),
    call.inputs.map((input) => input.userId),
    call.inputs.map((input) => input.seq),
  ]);
}
