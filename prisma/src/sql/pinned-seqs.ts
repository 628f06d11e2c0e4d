import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { entryText, isTombstone } from './columns.ts';

export interface PinnedEntry {
  readonly seq: number;
  readonly pinnedBy: string;
  /** When it was pinned: RFC 3339, three decimals. */
  readonly createdAt: string;
  /** The entry as the wire shows it. */
  readonly text: string;
}

/** Index: a range of `pin_pkey` (a conversation has a hundred pins at most), `entry_pkey` per pin. No lock. */
const statement: Statement = {
  name: 'pinned_seqs',
  text: `select p.seq, p.pinned_by as "pinnedBy", rfc3339(p.created_at) as "createdAt", e.text
    from pin p
    cross join lateral (
      select ${entryText} as text from entry e
      where e.conversation_id = $1 and e.seq = p.seq and not coalesce(${isTombstone('e')}, false) offset 0) e
    where p.conversation_id = $1 order by p.created_at desc, p.seq desc`,
};

/** The pinned entries of a conversation, newest pin first. */
export function pinnedSeqs(pool: Pool, conversationId: string): Promise<PinnedEntry[]> {
  return run<PinnedEntry & Record<string, unknown>>(pool, statement, [conversationId]);
}
