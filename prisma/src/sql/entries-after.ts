import type { Pool } from '../pool.ts';
import type { EntryText } from '../rows.ts';
import { run, type Statement } from '../statement.ts';
import { entryText } from './columns.ts';

export interface EntriesRequest {
  readonly conversationId: string;
  /** Exclusive cursor; 0 = from the first. */
  readonly after: number;
  readonly limit: number;
}

/** A page of one log with the head it was read at, both from one snapshot. */
export interface EntriesPage {
  readonly conversationId: string;
  readonly appId: string;
  readonly lastSeq: number;
  readonly oldestSeq: number;
  readonly memberVersion: number;
  /** Ascending. */
  readonly rows: EntryText[];
}

/**
 * Index: `conversation_pkey`, then a range of `entry_pkey` per conversation, `limit` rows each. No lock.
 * A page leaves PostgreSQL as one text, entries joined by line breaks, with its first seq: the log has no gaps, so the others follow.
 * Rejected: one row per entry (the driver builds an object per row) and json_agg (Node would have to parse it to find the seqs).
 */
const statement: Statement = {
  name: 'entries_after',
  text: `select c.id as "conversationId", c.app_id as "appId", c.last_seq as "lastSeq", c.oldest_seq as "oldestSeq",
      c.member_version as "memberVersion", x.first, x.texts
    from unnest($1::uuid[], $2::bigint[], $3::int[]) r (id, after, n)
    cross join lateral (select * from conversation c where c.id = r.id offset 0) c
    cross join lateral (
      select min(p.seq) as first, string_agg(p.text, E'\\n' order by p.seq) as texts
      from (select e.seq, ${entryText} as text from entry e
            where e.conversation_id = r.id and e.seq > r.after and e.seq <= c.last_seq
            order by e.seq limit r.n) p) x`,
};

export interface PageRow {
  readonly first: number | null;
  readonly texts: string | null;
}

/** Splits a page's text into its entries. */
export function entriesOf(page: PageRow): EntryText[] {
  const { first, texts } = page;
  if (first === null || texts === null) return [];
  return texts.split('\n').map((text, index) => ({ seq: first + index, text }));
}

/** Pages after cursors, many logs in one round trip; an unknown conversation has no page. In no particular order. */
export async function entriesAfter(pool: Pool, requests: readonly EntriesRequest[]): Promise<EntriesPage[]> {
  if (requests.length === 0) return [];
  const rows = await run<Omit<EntriesPage, 'rows'> & PageRow & Record<string, unknown>>(pool, statement, [
    requests.map((request) => request.conversationId),
    requests.map((request) => request.after),
    requests.map((request) => request.limit),
  ]);
  return rows.map(({ first, texts, ...head }) => ({ ...head, rows: entriesOf({ first, texts }) }));
}
