import type { Pool } from '../pool.ts';
import type { EntryText, History } from '../rows.ts';
import { run, type Statement } from '../statement.ts';
import { entryText } from './columns.ts';
import { entriesOf, type PageRow } from './entries-after.ts';

/** A page of one log, and whose membership to read with it. */
export interface PullRequest {
  readonly conversationId: string;
  /** Exclusive cursor: up to `limit` entries above it; with `before` it is not looked at. */
  readonly after: number;
  /** Exclusive bound: the last `limit` entries below it, from the head when it lies beyond. */
  readonly before: number | null;
  readonly limit: number;
  readonly userId: string | null;
}

/** What a pull needs of a conversation, and of one user in it. A member who is banned has no `joinedSeq`. */
export interface PullState {
  readonly appId: string;
  readonly lastSeq: number;
  readonly oldestSeq: number;
  readonly history: History;
  readonly memberVersion: number;
  readonly joinedSeq: number | null;
  readonly leftSeq: number | null;
}

/** A page with the state it was read at, all from one snapshot. `rows` ascend. */
export interface PullPage extends PullState {
  readonly rows: EntryText[];
}

/**
 * Conversation `c`, and the member row `m` of user `u.usr` in it unless banned: one lookup each per request. Offset 0 keeps the laterals
 * from becoming a join of everything with everything.
 */
const pairs = `cross join lateral (select * from conversation c where c.id = u.id offset 0) c
    left join lateral (select m.joined_seq, m.left_seq from member m
      where m.conversation_id = u.id and m.user_id = u.usr and (m.banned_until is null or m.banned_until <= now()) offset 0) m on true`;

const pullState = `u.n, c.app_id as "appId", c.last_seq as "lastSeq", c.oldest_seq as "oldestSeq", c.history, c.member_version as "memberVersion",
      m.joined_seq as "joinedSeq", m.left_seq as "leftSeq"`;

/**
 * Index: `conversation_pkey`, `member_pkey`, one range of `entry_pkey` per page. No lock. A log has no gaps, so both ends of a page are
 * known before it is read: no sort, no LIMIT, and pages in both directions share one statement.
 * Rejected: a statement for each of state, membership and rows (three snapshots and three round trips for a cold pull).
 */
const pages: Statement = {
  name: 'pull_pages',
  text: `select ${pullState}, x.first, x.texts
    from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::text[]) with ordinality u (id, after, before, size, usr, n)
    ${pairs}
    cross join lateral (
      select case when u.before is null then u.after else greatest(least(u.before - 1, c.last_seq) - u.size, 0) end as low,
        least(c.last_seq, coalesce(u.before - 1, u.after + u.size)) as high) b
    cross join lateral (
      select min(p.seq) as first, string_agg(p.text, E'\\n' order by p.seq) as texts
      from (select e.seq, ${entryText} as text from entry e
            where e.conversation_id = u.id and e.seq > b.low and e.seq <= b.high
            order by e.seq) p) x`,
};

/** Index: `conversation_pkey` and `member_pkey`, one lookup each per pair. No lock. */
const states: Statement = {
  name: 'pull_states',
  text: `select ${pullState}
    from unnest($1::uuid[], $2::text[]) with ordinality u (id, usr, n)
    ${pairs}`,
};

type StateRow = PullState & { readonly n: number } & Record<string, unknown>;

/** Pages of many logs in one round trip, in the order asked; `undefined` where there is no such conversation. The caller compares `appId`. */
export async function pullPages(pool: Pool, requests: readonly PullRequest[]): Promise<(PullPage | undefined)[]> {
  if (requests.length === 0) return [];
  const found = await run<StateRow & PageRow>(pool, pages, [
    requests.map((request) => request.conversationId),
    requests.map((request) => request.after),
    requests.map((request) => request.before),
    requests.map((request) => request.limit),
    requests.map((request) => request.userId),
  ]);
  const answers: (PullPage | undefined)[] = requests.map(() => undefined);
  for (const { n, first, texts, ...state } of found) answers[n - 1] = { ...state, rows: entriesOf({ first, texts }) };
  return answers;
}

/** States and memberships of many pairs in one round trip, in the order asked; `undefined` where there is no such conversation. */
export async function pullStates(
  pool: Pool,
  pairs: readonly { readonly conversationId: string; readonly userId: string }[],
): Promise<(PullState | undefined)[]> {
  if (pairs.length === 0) return [];
  const found = await run<StateRow>(pool, states, [pairs.map((pair) => pair.conversationId), pairs.map((pair) => pair.userId)]);
  const answers: (PullState | undefined)[] = pairs.map(() => undefined);
  for (const { n, ...state } of found) answers[n - 1] = state;
  return answers;
}
