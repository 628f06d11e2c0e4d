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
      (select v.edit_seq as "editSeq", v.body::text as body, v.mentions, rfc3339(v.written_at) as "writtenAt"
        from entry_version v where v.conversation_id = $2 and v.seq = $3 and v.edit_seq > $4 order by v.edit_seq limit $5 + 1)
      union all
      select null, e.body::text, e.mentions, rfc3339(coalesce(e.edited_at, e.created_at))) x
    where c.id = $2 and c.app_id = $1
    order by x."editSeq" nulls last`,
};

/** A page of versions; `more`: there are some after its last. */
export interface EntryVersionPage {
  readonly versions: EntryVersion[];
  readonly more: boolean;
}

/**
 * Versions of an entry after the one that the edit `afterEditSeq` replaced (0 = from the first), oldest first, at most `limit` replaced
 * ones; the present one ends the last page. None of a tombstone; null when the app has no such entry.
 */
export async function entryVersions(
  pool: Pool,
  entry: { readonly appId: string; readonly conversationId: string; readonly seq: number },
  afterEditSeq: number,
  limit: number,
): Promise<EntryVersionPage | null> {
  const { appId, conversationId, seq } = entry;
  const values = [appId, conversationId, seq, afterEditSeq, limit];
  const rows = await run<EntryVersion & { tombstone: boolean } & Record<string, unknown>>(pool, statement, values);
  if (rows.length === 0) return null;
  const versions = rows.flatMap(({ tombstone, ...version }) => (tombstone ? [] : [version]));
  // One beyond the page, and the present one.
  const more = versions.length > limit + 1;
  return { versions: more ? versions.slice(0, limit) : versions, more };
}
