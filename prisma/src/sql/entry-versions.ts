import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { isTombstone } from './columns.ts';

/** What a message once said, or says now. */
export interface EntryVersion {
  /** The edit that replaced it; null for the present one. */
  readonly editSeq: number | null;
  /** JSON text. */
  readonly body: string | null;
  readonly mentions: string[] | null;
  /** When it was written: RFC 3339, three decimals. */
  readonly writtenAt: string;
}

/**
 * Index: `conversation_pkey`, `entry_pkey`, a range of `entry_version_pkey`. No lock.
 * The present version comes last, in a row of its own.
 */
const statement: Statement = {
  name: 'entry_versions',
  text: `select x."editSeq", x.body, x.mentions, x."writtenAt", coalesce(${isTombstone('e')}, false) as tombstone
    from conversation c
    cross join lateral (select * from entry e where e.conversation_id = $2 and e.seq = $3 offset 0) e
    cross join lateral (
      select v.edit_seq as "editSeq", v.body::text as body, v.mentions, rfc3339(v.written_at) as "writtenAt"
        from entry_version v where v.conversation_id = $2 and v.seq = $3
      union all
      select null, e.body::text, e.mentions, rfc3339(coalesce(e.edited_at, e.created_at))) x
    where c.id = $2 and c.app_id = $1
    order by x."editSeq" nulls last`,
};

/** All versions of an entry, oldest first, the present one last; none of a tombstone; null when the app has no such entry. */
export async function entryVersions(pool: Pool, appId: string, conversationId: string, seq: number): Promise<EntryVersion[] | null> {
  const rows = await run<EntryVersion & { tombstone: boolean } & Record<string, unknown>>(pool, statement, [appId, conversationId, seq]);
  if (rows.length === 0) return null;
  return rows.flatMap(({ tombstone, ...version }) => (tombstone ? [] : [version]));
}
