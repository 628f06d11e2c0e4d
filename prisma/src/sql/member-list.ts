import type { Pool } from '../pool.ts';
import type { ConversationState, ConversationType, MemberRow } from '../rows.ts';
import { run, type Statement } from '../statement.ts';
import { memberColumns } from './columns.ts';

/** Everyone who hears of a conversation, with the version that the list belongs to. */
export interface MemberList extends Pick<ConversationState, 'memberVersion' | 'memberCount' | 'appId' | 'lastSeq'> {
  readonly type: ConversationType;
  /** Current members who are not banned, ascending by bytes. */
  readonly users: string[];
}

/**
 * Index: `conversation_pkey`, `member_pkey` range of one conversation. No lock: list and version come from one statement, hence from
 * one snapshot. User ids contain no line break, so they come as one text (10,000 ids: 3.4 ms).
 * Rejected: two statements (a member who joins between them is in the list of an older version, or missing from a newer one);
 * text[] (the driver parses arrays by character).
 */
const list: Statement = {
  name: 'member_list',
  text: `select c.app_id as "appId", c.type, c.member_version as "memberVersion", c.member_count as "memberCount", c.last_seq as "lastSeq",
      (select string_agg(m.user_id, E'\\n' order by m.user_id) from member m where m.conversation_id = $1 and m.left_seq is null
        and (m.banned_until is null or m.banned_until <= now())) as users
    from conversation c where c.id = $1`,
};

/** Index: `member_pkey`, a range of one conversation after the key. */
const page: Statement = {
  name: 'member_page',
  text: `select ${memberColumns} from member m
    where m.conversation_id = $1 and m.user_id > $2 and m.left_seq is null and (m.banned_until is null or m.banned_until <= now())
    order by m.user_id limit $3`,
};

/** The current members and the `memberVersion` they belong to; null when there is no such conversation. The caller compares `appId`. */
export async function memberList(pool: Pool, conversationId: string): Promise<MemberList | null> {
  type Row = Omit<MemberList, 'users'> & { users: string | null };
  const [row] = await run<Row & Record<string, unknown>>(pool, list, [conversationId]);
  if (row === undefined) return null;
  return { ...row, users: row.users === null ? [] : row.users.split('\n') };
}

/** Current members after `afterUserId` ('' or null = from the start), ascending by bytes, at most `limit`. */
export function memberPage(pool: Pool, conversationId: string, afterUserId: string | null, limit: number): Promise<MemberRow[]> {
  return run<MemberRow & Record<string, unknown>>(pool, page, [conversationId, afterUserId ?? '', limit]);
}
