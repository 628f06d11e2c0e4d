import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { entryText } from './columns.ts';
import { type EntriesPage, entriesOf, type PageRow } from './entries-after.ts';

/**
 * Index: `conversation_pkey`, `entry_pkey` backwards, `limit` rows. No lock.
 * Rejected: OFFSET (reads what it skips).
 */
const statement: Statement = {
  name: 'entries_before',
  text: `select c.id as "conversationId", c.app_id as "appId", c.last_seq as "lastSeq", c.oldest_seq as "oldestSeq",
      c.member_version as "memberVersion", x.first, x.texts
    from conversation c
    cross join lateral (
      select min(p.seq) as first, string_agg(p.text, E'\\n' order by p.seq) as texts
      from (select e.seq, ${entryText} as text from entry e
            where e.conversation_id = $1 and e.seq < coalesce($2, c.last_seq + 1) order by e.seq desc limit $3) p) x
    where c.id = $1`,
};

/**
 * The `limit` entries before an exclusive bound, ascending; `before` null = the newest page. Null: no such conversation.
 * The caller compares `appId`.
 */
export async function entriesBefore(pool: Pool, conversationId: string, before: number | null, limit: number): Promise<EntriesPage | null> {
  const [row] = await run<Omit<EntriesPage, 'rows'> & PageRow & Record<string, unknown>>(pool, statement, [conversationId, before, limit]);
  if (row === undefined) return null;
  const { first, texts, ...head } = row;
  return { ...head, rows: entriesOf({ first, texts }) };
}
