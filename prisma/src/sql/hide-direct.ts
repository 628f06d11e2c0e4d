import type { Pool } from '../pool.ts';
import { runOne, type Statement } from '../statement.ts';

/**
 * Function `hide_direct` (migrations/20261121000003_conversation, 20261121000009_reads_and_users).
 *
 * Locks: one member row. Index: `conversation_pkey`, `member_pkey`.
 * Rejected: leaving the conversation (the pair would lose its history and the other side could no longer send).
 */
const statement: Statement = {
  name: 'hide_direct',
  text: 'select hide_direct($1, $2, $3, $4) as "hiddenSeq"',
};

/** Hides a direct conversation from one member until something comes that counts as unread; null: not a member of such a direct conversation. */
export async function hideDirect(
  pool: Pool,
  call: {
    readonly route: string;
    readonly appId: string;
    readonly conversationId: string;
    readonly userId: string;
    readonly outboxId: string;
  },
): Promise<{ hiddenSeq: number } | null> {
  const values = [call.conversationId, call.outboxId, call.appId, call.userId];
  const { hiddenSeq } = await runOne<{ hiddenSeq: number | null }>(pool, statement, values);
  return hiddenSeq === null ? null : { hiddenSeq };
}
