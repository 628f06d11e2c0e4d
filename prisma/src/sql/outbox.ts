import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** [appId, conversationId, seq] */
export type OutboxHead = [string, string, number];
/** [appId, conversationId, userId] */
export type OutboxMember = [string, string, string];
/** [appId, conversationId, userId, otherId]: who blocks or no longer blocks, and whom, with the pair's direct conversation. */
export type OutboxBlock = [string, string, string, string];
/** [appId, conversationId, userId, readSeq] */
export type OutboxRead = [string, string, string, number];
/** [appId, conversationId, memberVersion, head]: a conversation of which copies held elsewhere are to be dropped. */
export type OutboxCopies = [string, string, number, number];

interface OutboxBase {
  readonly conversationId: string;
  readonly id: string;
  /** RFC 3339, three decimals. */
  readonly createdAt: string;
  readonly attempts: number;
}

/** What still has to be published or mirrored. `created`: first members are those whose changed_seq is 1. */
export type OutboxRow = OutboxBase &
  (
    | {
        readonly kind: 'append';
        readonly payload: { heads: OutboxHead[]; members?: OutboxMember[]; created?: string };
      }
    | { readonly kind: 'read'; readonly payload: { reads: OutboxRead[] } }
    | { readonly kind: 'hide'; readonly payload: { hidden: OutboxMember[] } }
    | { readonly kind: 'block'; readonly payload: { blocks: OutboxBlock[] } }
    | { readonly kind: 'copies'; readonly payload: { copies: OutboxCopies[] } }
  );

export interface OutboxKey {
  readonly conversationId: string;
  readonly id: string;
}

/**
 * Index: `outbox_next_at`, oldest first. No lock and no SKIP LOCKED: one sweeper at a time by lease, and what it does is idempotent.
 * A deferred row does not block younger ones, because its next_at lies ahead.
 */
const due: Statement = {
  name: 'due_outbox',
  text: `select o.conversation_id as "conversationId", o.id, rfc3339(o.created_at) as "createdAt", o.kind, o.payload, o.attempts
    from outbox o where o.next_at <= now() - make_interval(secs => $1::float8 / 1000) order by o.next_at limit $2`,
};

/** Function `delete_outbox`: index `outbox_pkey`, one lookup per key; its commit does not wait for the disk. */
const remove: Statement = { name: 'delete_outbox', text: 'select delete_outbox($1, $2, $3) as deleted' };

/** Index: `outbox_pkey`. Backoff doubles from 1 s to 5 min per row, so one that cannot be processed costs less and less. */
const defer: Statement = {
  name: 'defer_outbox',
  text: `update outbox o set attempts = o.attempts + 1, next_at = now() + make_interval(secs => least(300, power(2, least(o.attempts, 9))))
    from unnest($1::uuid[], $2::uuid[]) u (conv, id)
    where o.conversation_id = u.conv and o.id = u.id and o.conversation_id = any ($1::uuid[])`,
};

/** Rows due for at least `olderThanMs`, at most `limit`, the longest due first. */
export function dueOutbox(pool: Pool, query: { readonly olderThanMs: number; readonly limit: number }): Promise<OutboxRow[]> {
  return run<OutboxRow & Record<string, unknown>>(pool, due, [query.olderThanMs, query.limit]);
}

/** Deletes rows whose work is done; answers how many were still there. */
export async function deleteOutbox(pool: Pool, keys: readonly OutboxKey[]): Promise<number> {
  const [first] = keys;
  if (first === undefined) return 0;
  const values = [first.conversationId, keys.map((key) => key.conversationId), keys.map((key) => key.id)];
  return (await runOne<{ deleted: number }>(pool, remove, values)).deleted;
}

/** Puts rows that could not be processed off, longer each time. */
export async function deferOutbox(pool: Pool, keys: readonly OutboxKey[]): Promise<void> {
  if (keys.length === 0) return;
  await run(pool, defer, [keys.map((key) => key.conversationId), keys.map((key) => key.id)]);
}
