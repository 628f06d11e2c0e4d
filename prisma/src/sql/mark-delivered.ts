import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import type { ReadInput } from './mark-read.ts';

export interface DeliveredResult {
  /** `not_found`: no such conversation in this app, not a current member, or banned. */
  readonly status: 'ok' | 'unchanged' | 'not_found';
  readonly deliveredSeq: number | null;
  readonly head: number | null;
}

/**
 * Function `mark_delivered` (migrations/20261121000009_reads_and_users).
 *
 * Locks: the member rows that will move, in (conversation_id, user_id) order, at most 250 ms. Index: `member_pkey`, `conversation_pkey`.
 * Rejected: an outbox row (a lost receipt is repaired by the next one, and whoever asks reads the position).
 */
const statement: Statement = {
  name: 'mark_delivered',
  text: 'select status, delivered_seq as "deliveredSeq", head from mark_delivered($1, $2, $3, $4, $5) order by ord',
};

/**
 * Moves delivered positions forward, many in one round trip; one result per input, in order. A position is clamped to the head and
 * never goes back; nothing moves that is not above the read position.
 *
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export function markDelivered(
  pool: Pool,
  call: { readonly route: string; readonly inputs: readonly ReadInput[] },
): Promise<DeliveredResult[]> {
  if (call.inputs.length === 0) return Promise.resolve([]);
  return run<DeliveredResult & Record<string, unknown>>(pool, statement, [
    call.route,
    call.inputs.map((input) => input.appId),
    call.inputs.map((input) => input.conversationId),
    call.inputs.map((input) => input.userId),
    call.inputs.map((input) => input.seq),
  ]);
}
