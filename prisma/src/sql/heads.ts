import type { Pool } from '../pool.ts';
import type { ConversationType, Role } from '../rows.ts';
import { run, runOne, type Statement } from '../statement.ts';
import { excerptOf, isTombstone } from './columns.ts';

export interface HeadsQuery {
  readonly appId: string;
  readonly userId: string;
  /** The conversations to look at; those the user is not a current member of are left out. */
  readonly ids: readonly string[];
  /** RFC 3339: only those with an entry at or after this time. */
  readonly since?: string | null;
  /** Keyset cursor: only those that sort after this one. */
  readonly before?: { readonly lastEntryAt: string; readonly id: string } | null;
  readonly limit: number;
}

export interface HeadRow {
  readonly id: string;
  readonly type: ConversationType;
  readonly title: string | null;
  readonly avatarUrl: string | null;
  readonly frozen: boolean;
  readonly slowModeSeconds: number;
  readonly lastSeq: number;
  /** RFC 3339 with three decimals, the precision stored: it works as a cursor. */
  readonly lastEntryAt: string;
  readonly readSeq: number;
  /** Never below `readSeq`. */
  readonly deliveredSeq: number;
  readonly unread: number;
  /** Unread messages that name this member, expired ones left out. */
  readonly mentions: number;
  readonly memberVersion: number;
  readonly memberCount: number;
  readonly role: Role;
  readonly joinedSeq: number;
  /** A direct conversation its member left, in which nothing that counts as unread has come since. */
  readonly hidden: boolean;
  /** The newest countable entry this member may see. */
  readonly lastMessage: LastMessage | null;
}

export interface LastMessage {
  readonly seq: number;
  readonly senderId: string;
  readonly createdAt: string;
  /** The first 140 code points of the body's text; '' without one, and for a tombstone. */
  readonly excerpt: string;
  readonly redacted?: true;
}

/** Null-safe: in a conversation without countable entries nothing has come since it was hidden. */
const hidden = '(m.hidden_seq is not null and coalesce(c.last_message_seq, 0) <= m.hidden_seq)';

/** A current member who is not banned. */
const current = 'm.left_seq is null and (m.banned_until is null or m.banned_until <= now())';

/** Unread mentions between a read position and a head: one short range of `mention_pkey`, looked up only when something is unread. */
const mentions = (conversation: string, readSeq: string, head: string): string =>
  `case when ${head} > ${readSeq} then (select count(*) from mention x
      where x.conversation_id = ${conversation} and x.user_id = $3 and x.seq > ${readSeq} and (x.expires_at is null or x.expires_at > now())) else 0 end`;

/** One lookup per id and table: offset 0 keeps the laterals from becoming a join of everything with everything. */
const pairs = `cross join lateral (select * from conversation c where c.id = u.id and c.app_id = $2 offset 0) c
      cross join lateral (select * from member m where m.conversation_id = u.id and m.user_id = $3 offset 0) m`;

/**
 * Index: `conversation_pkey` and `member_pkey` per id, `entry_pkey` and `mention_pkey` for the rows that are returned. No lock.
 * Rejected: an index on (user_id, last_entry_at): last_entry_at changes with every append, which would end HOT updates and write per
 * recipient; the preview inside the sorted set (a lookup for every conversation instead of for one page).
 */
const page: Statement = {
  name: 'heads',
  text: `select h.*, rfc3339(h.at) as "lastEntryAt", e.seq as "messageSeq", e.sender_id as "senderId", rfc3339(e.created_at) as "createdAt",
      ${excerptOf('e')} as excerpt, ${isTombstone('e')} as tombstone, ${mentions('h.id', 'h."readSeq"', 'h."lastSeq"')} as mentions
    from (
      select c.id, c.type, c.title, c.avatar_url as "avatarUrl", c.frozen_at is not null as frozen, c.slow_mode_s as "slowModeSeconds",
        greatest(m.delivered_seq, m.read_seq) as "deliveredSeq", c.last_seq as "lastSeq", c.last_entry_at as at, m.read_seq as "readSeq",
        c.message_count - m.read_count - m.own_unread as unread, c.member_version as "memberVersion", c.member_count as "memberCount",
        m.role, m.joined_seq as "joinedSeq", ${hidden} as hidden,
        case when c.last_message_seq < greatest(c.oldest_seq, case when c.history = 'since_join' then m.joined_seq end) then null
          else c.last_message_seq end as message
      from unnest($1::uuid[]) u (id)
      ${pairs}
      where ${current} and ($4::timestamptz is null or c.last_entry_at >= $4)
        and ($5::timestamptz is null or (c.last_entry_at, c.id) < ($5, $6::uuid))
      order by c.last_entry_at desc, c.id desc limit $7) h
    left join entry e on e.conversation_id = h.id and e.seq = h.message
    order by h.at desc, h.id desc`,
};

/** Index: as above without previews and order; `mention_pkey` where something is unread. A hidden conversation does not count. */
const totals: Statement = {
  name: 'unread_totals',
  text: `select coalesce(sum(c.message_count - m.read_count - m.own_unread), 0)::bigint as total,
      coalesce(sum(${mentions('c.id', 'm.read_seq', 'c.last_seq')}), 0)::bigint as mentions
    from unnest($1::uuid[]) u (id)
    ${pairs}
    where ${current} and not ${hidden}`,
};

type Row = Omit<HeadRow, 'lastMessage'> & {
  at: unknown;
  message: number | null;
  messageSeq: number | null;
  senderId: string;
  createdAt: string;
  excerpt: string;
  tombstone: boolean | null;
};

/** Heads of a user's conversations, hidden ones included (see `hidden`), newest activity first by (lastEntryAt, id), at most `limit`. */
export async function heads(pool: Pool, query: HeadsQuery): Promise<HeadRow[]> {
  if (query.ids.length === 0) return [];
  const { appId, userId, since, before, limit } = query;
  const rows = await run<Row & Record<string, unknown>>(pool, page, [
    query.ids,
    appId,
    userId,
    since ?? null,
    before?.lastEntryAt ?? null,
    before?.id ?? null,
    limit,
  ]);
  return rows.map(({ at: _at, message: _message, messageSeq, senderId, createdAt, excerpt, tombstone, ...head }) => ({
    ...head,
    lastMessage: messageSeq === null ? null : { seq: messageSeq, senderId, createdAt, excerpt, ...(tombstone ? { redacted: true } : {}) },
  }));
}

/** Unread messages and unread mentions over the conversations named, exact. */
export function unreadTotals(
  pool: Pool,
  query: { readonly appId: string; readonly userId: string; readonly ids: readonly string[] },
): Promise<{ total: number; mentions: number }> {
  return runOne<{ total: number; mentions: number }>(pool, totals, [query.ids, query.appId, query.userId]);
}
