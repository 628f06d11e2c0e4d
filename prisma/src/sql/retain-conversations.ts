import { LockTimeout } from '../errors.ts';
import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';
import type { TouchedConversation } from './expire-entries.ts';

/** A conversation of which content was taken away; `outboxId`: the row that stands for dropping copies of it held elsewhere. */
interface RetainedConversation extends TouchedConversation {
  readonly outboxId: string;
}

/**
 * Index: `conversation_retention` (only conversations that have one), `entry_pkey` for the oldest entry of each. No lock.
 * Rejected: a table of when each is next due (every append to a conversation whose log is empty would have to write it).
 */
const due: Statement = {
  name: 'due_retentions',
  text: `select c.id from conversation c
    cross join lateral (select e.created_at from entry e where e.conversation_id = c.id and e.seq = c.oldest_seq offset 0) e
    where c.retention_s > 0 and e.created_at <= now() - make_interval(secs => c.retention_s) order by c.id limit $1`,
};

/**
 * Function `retain_conversation` (migrations/20261121000024_retention_outbox).
 *
 * Locks: the conversation, then those of its members who move, in user order, at most 2 s each. Index: `entry_pkey`, `member_pkey`.
 * Rejected: moving oldest_seq at once and wiping later (nothing would say how far the wiping has come).
 */
const retain: Statement = {
  name: 'retain_conversation',
  text: `select moved, more, app_id as "appId", member_version as "memberVersion", head, outbox_id as "outboxId" from retain_conversation($1, $2)`,
};

type Step = { moved: boolean; more: boolean; appId: string; memberVersion: number; head: number; outboxId: string };

/**
 * Takes one step of at most `chunk` entries in each of at most `limit` conversations that keep entries longer than they should.
 * `more`: call again. A conversation whose row stays locked is left for the next call.
 *
 * @throws {DatabaseUnavailable | TransactionConflict}
 */
export async function retainConversations(
  pool: Pool,
  { limit, chunk }: { readonly limit: number; readonly chunk: number },
): Promise<{ touched: RetainedConversation[]; more: boolean }> {
  const ids = await run<{ id: string }>(pool, due, [limit]);
  const touched: RetainedConversation[] = [];
  let more = ids.length === limit;
  for (const { id } of ids) {
    const step = await take(pool, id, chunk);
    if (step === null || !step.moved) continue;
    const { appId, memberVersion, head, outboxId } = step;
    touched.push({ appId, conversationId: id, memberVersion, head, outboxId });
    if (step.more) more = true;
  }
  return { touched, more: more && touched.length > 0 };
}

async function take(pool: Pool, conversationId: string, chunk: number): Promise<Step | null> {
  try {
    return await runOne<Step>(pool, retain, [conversationId, chunk]);
  } catch (error) {
    if (error instanceof LockTimeout) return null;
    throw error;
  }
}
