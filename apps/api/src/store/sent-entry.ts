import { classify, type Pool } from '@nudge/db';
import type { SentEntry } from './conversation-store.ts';

const text = `select e.seq, rfc3339(e.created_at) as "createdAt", e.content_hash as "contentHash"
  from conversation c
  cross join lateral (
    select * from entry e where e.conversation_id = $2 and e.sender_id = $3 and e.client_msg_id = $4 offset 0) e
  where c.id = $2 and c.app_id = $1
  for key share of c`;

/**
 * The entry that a sender's own id stands for; `null` when there is none in the app. Index: `conversation_pkey`, the
 * unique index of the ids of senders. An id once used stays used; the lock, taken when there is one and compatible with an append, is for
 * the commit: like the append's it then waits for a synchronous standby, so that what is answered here is as safe as a first answer.
 */
export async function sentEntry(
  pool: Pool,
  key: { readonly appId: string; readonly conversationId: string; readonly senderId: string; readonly clientMsgId: string },
): Promise<SentEntry | null> {
  try {
    const { appId, conversationId, senderId, clientMsgId } = key;
    const values = [appId, conversationId, senderId, clientMsgId];
    const { rows } = await pool.query<SentEntry>({ name: 'sent_entry', text, values });
    return rows[0] ?? null;
  } catch (error) {
    throw classify(error);
  }
}
