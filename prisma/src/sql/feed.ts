import type { Pool } from '../pool.ts';
import type { EntryText } from '../rows.ts';
import { run, type Statement } from '../statement.ts';

export interface FeedRow {
  readonly subject: string;
  readonly version: number;
  /** JSON text of the state. */
  readonly state: string;
}

export interface FeedPage {
  /** The user's feed version in this snapshot; 0 for a user without a row. */
  readonly version: number;
  /** Ascending by version. */
  readonly rows: FeedRow[];
  readonly more: boolean;
}

/**
 * Index: `chat_user_pkey`, a range of `feed_version`. No lock: version and rows commit together and come from one snapshot.
 * hideVersion orders what is merged into a state (migrations/20261121000009_reads_and_users) and is nobody else's business.
 * Answers `limit + 1` rows to know whether there are more.
 */
const after: Statement = {
  name: 'feed_after',
  text: `select u.feed_version as head, f.subject, f.version, (f.state - 'hideVersion')::text as state
    from chat_user u
    left join lateral (
      select f.subject, f.version, f.state from feed f
      where f.app_id = $1 and f.user_id = $2 and f.version > $3 order by f.version limit $4 + 1) f on true
    where u.app_id = $1 and u.id = $2
    order by f.version`,
};

/** Index: a range of `feed_pkey` (the subjects that begin with "member/"). No lock. */
const joined: Statement = {
  name: 'joined_conversation_ids',
  text: `select string_agg(substr(f.subject, 8), E'\\n' order by f.subject) as ids from feed f
    where f.app_id = $1 and f.user_id = $2 and f.subject >= 'member/' and f.subject < 'member0' and f.state ->> 'state' = 'joined'`,
};

/** Index: a range of `feed_pkey` per user. No lock. */
const counts: Statement = {
  name: 'joined_counts',
  text: `select u.id, (select count(*) from feed f where f.app_id = $1 and f.user_id = u.id and f.subject >= 'member/'
      and f.subject < 'member0' and f.state ->> 'state' = 'joined') as count
    from unnest($2::text[]) u (id)`,
};

/** Index: `app_log_pkey`, a range of `app_entry_pkey`. No lock. */
const appEntries: Statement = {
  name: 'app_entries_after',
  text: `select l.last_seq as head, e.seq, '{"seq":' || e.seq || ',"type":"' || e.type || '","senderId":"$system","createdAt":"'
      || rfc3339(e.created_at) || '","body":' || e.body::text || '}' as text
    from app_log l
    left join lateral (
      select * from app_entry e where e.app_id = $1 and e.seq > $2 order by e.seq limit $3 + 1) e on true
    where l.app_id = $1 order by e.seq`,
};

/** What changed in a user's feed after a version, at most `limit` rows. */
export async function feedAfter(pool: Pool, appId: string, userId: string, cursor: number, limit: number): Promise<FeedPage> {
  type Row = { head: number; subject: string | null; version: number; state: string };
  const found = await run<Row>(pool, after, [appId, userId, cursor, limit]);
  const rows = found.flatMap(({ subject, version, state }) => (subject === null ? [] : [{ subject, version, state }]));
  return { version: found[0]?.head ?? 0, rows: rows.slice(0, limit), more: rows.length > limit };
}

/** Ids of the conversations a user is joined to, as the user's own feed says. */
export async function joinedConversationIds(pool: Pool, appId: string, userId: string): Promise<string[]> {
  const [row] = await run<{ ids: string | null }>(pool, joined, [appId, userId]);
  return row?.ids?.split('\n') ?? [];
}

/** How many conversations each user is joined to, by user id. */
export async function joinedCounts(pool: Pool, appId: string, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await run<{ id: string; count: number }>(pool, counts, [appId, ids]);
  return new Map(rows.map((row) => [row.id, row.count]));
}

/** Entries of the app's log after a cursor, at most `limit`. */
export async function appEntriesAfter(
  pool: Pool,
  appId: string,
  cursor: number,
  limit: number,
): Promise<{ lastSeq: number; rows: EntryText[]; more: boolean }> {
  const found = await run<{ head: number; seq: number | null; text: string }>(pool, appEntries, [appId, cursor, limit]);
  const rows = found.flatMap(({ seq, text }) => (seq === null ? [] : [{ seq, text }]));
  return { lastSeq: found[0]?.head ?? 0, rows: rows.slice(0, limit), more: rows.length > limit };
}
