import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** Messages one user may have put off, refused ones that still stand there included. */
export const SCHEDULED_PER_USER = 100;

export interface ScheduledKey {
  readonly appId: string;
  readonly userId: string;
  readonly id: string;
}

export interface NewScheduled extends ScheduledKey {
  readonly conversationId: string;
  readonly clientMsgId: string;
  readonly contentHash: Buffer;
  readonly type: string;
  /** JSON text. */
  readonly body: string;
  /** JSON text, as an append takes it. */
  readonly extra: string | null;
  readonly countable: boolean;
  /** RFC 3339; kept to the millisecond. */
  readonly sendAt: string;
}

export interface ScheduledRow extends NewScheduled {
  readonly createdAt: string;
  /** Why it was refused when its time came; null while it waits. */
  readonly failedCode: string | null;
}

/** A message that was taken to be sent. */
export interface TakenScheduled extends ScheduledRow {
  /** Names this taking. RFC 3339. */
  readonly takenAt: string;
  /** Nobody else may still be sending it, so that it may be let go of again. */
  readonly alone: boolean;
  /** Its sender is banned from the app. */
  readonly senderBanned: boolean;
}

/**
 * `created`; `exists`: this clientMsgId waits already, `id` and `sendAt` are the first one's and `same` says whether the content is equal;
 * `limit_reached`: the user has as many as may be.
 */
export type ScheduleResult =
  | { readonly status: 'created' | 'exists'; readonly id: string; readonly sendAt: string; readonly same: boolean }
  | { readonly status: 'limit_reached'; readonly id: null; readonly sendAt: null; readonly same: null };

/**
 * Function `insert_scheduled` (migrations/20261121000009_reads_and_users).
 *
 * Locks: the user's row, at most 1 s, so the bound is exact. Index: `chat_user_pkey`, `scheduled_..._client_msg_id_key`, `scheduled_pkey`.
 * Rejected: counting in a plain insert (two at once would both see room for one).
 */
const insert: Statement = {
  name: 'insert_scheduled',
  text: `select status, id, send_at as "sendAt", same from insert_scheduled($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11, $12)`,
};

const columns = `s.app_id as "appId", s.user_id as "userId", s.id, s.conversation_id as "conversationId", s.client_msg_id as "clientMsgId",
  s.content_hash as "contentHash", s.type, s.body::text as body, s.extra::text as extra, s.countable, rfc3339(s.send_at) as "sendAt",
  rfc3339(s.created_at) as "createdAt", s.failed_code as "failedCode"`;

/** Index: a range of `scheduled_pkey`, in its order. No lock. Rejected: all of a user's (each has a body of its own: 100 x 16 KiB to show one). */
const page: Statement = {
  name: 'scheduled_page',
  text: `select ${columns} from scheduled s where s.app_id = $1 and s.user_id = $2 and s.id >= $3 order by s.id limit $4`,
};

/** Locks: the row. Index: `scheduled_pkey`. What was taken and not let go of is being sent, so it is too late. */
const cancel: Statement = {
  name: 'cancel_scheduled',
  text: `delete from scheduled s where s.app_id = $1 and s.user_id = $2 and s.id = $3
    and (s.taken_at is null or s.taken_at = s.released_at) returning 1`,
};

/** No append that was begun so long ago is still under way: calls of the database end within 10 s, waiting for one within less. */
const ABANDONED = "interval '60 s'";

/**
 * Locks: the row, against a cancellation at the same time. Index: `scheduled_pkey`, `chat_user_pkey`. Taking it again after a crash is
 * harmless. The row is locked before it is updated, because an update alone could not say how it found it.
 */
const take: Statement = {
  name: 'take_scheduled',
  text: `with before as materialized (
      select s.taken_at, s.released_at from scheduled s where s.app_id = $1 and s.user_id = $2 and s.id = $3 and s.failed_code is null for update)
    update scheduled s set taken_at = greatest(clock_timestamp(), b.taken_at + interval '1 ms') from before b
    where s.app_id = $1 and s.user_id = $2 and s.id = $3 and s.failed_code is null
    returning ${columns}, rfc3339(s.taken_at) as "takenAt",
      coalesce(b.taken_at = b.released_at or b.taken_at < clock_timestamp() - ${ABANDONED}, b.taken_at is null) as alone,
      coalesce((select u.banned_until > now() from chat_user u where u.app_id = $1 and u.id = $2), false) as "senderBanned"`,
};

/** Locks: the row. Index: `scheduled_pkey`. Nothing happens when somebody else has taken it meanwhile. */
const release: Statement = {
  name: 'release_scheduled',
  text: 'update scheduled s set released_at = s.taken_at where s.app_id = $1 and s.user_id = $2 and s.id = $3 and s.taken_at = $4',
};

/** Locks: the row. Index: `scheduled_pkey`. */
const remove: Statement = {
  name: 'remove_scheduled',
  text: 'delete from scheduled s where s.app_id = $1 and s.user_id = $2 and s.id = $3',
};

/** Locks: the row. Index: `scheduled_pkey`. */
const fail: Statement = {
  name: 'fail_scheduled',
  text: 'update scheduled s set failed_code = $4, taken_at = null where s.app_id = $1 and s.user_id = $2 and s.id = $3',
};

/**
 * Index: `scheduled_due`, longest due first. No lock: whoever sends it takes it. What was taken lately is left out: its job lives, and many
 * that wait for slow mode would leave no room for others.
 */
const due: Statement = {
  name: 'due_scheduled',
  text: `select s.app_id as "appId", s.user_id as "userId", s.id from scheduled s
    where s.failed_code is null and s.send_at <= now() - make_interval(secs => $1::float8 / 1000)
      and (s.taken_at is null or s.taken_at <= now() - make_interval(secs => 4 * $1::float8 / 1000)) order by s.send_at limit $2`,
};

/**
 * Puts a message off. @throws {DataError} an unknown user, or values that cannot be stored.
 * @throws {LockTimeout | DatabaseUnavailable | TransactionConflict}
 */
export function insertScheduled(pool: Pool, input: NewScheduled, bound: number = SCHEDULED_PER_USER): Promise<ScheduleResult> {
  const { appId, userId, id, conversationId, clientMsgId, contentHash, type, body, extra, countable, sendAt } = input;
  const values = [userId, appId, id, conversationId, clientMsgId, contentHash, type, body, extra, countable, sendAt, bound];
  return runOne<ScheduleResult & Record<string, unknown>>(pool, insert, values);
}

/** The least UUID. */
const FIRST = '00000000-0000-0000-0000-000000000000';

/** A user's messages that wait or were refused, by id, from `fromId` on (inclusive; null = from the start), at most `limit`. */
export function listScheduled(pool: Pool, appId: string, userId: string, fromId: string | null, limit: number): Promise<ScheduledRow[]> {
  return run<ScheduledRow & Record<string, unknown>>(pool, page, [appId, userId, fromId ?? FIRST, limit]);
}

/** Cancels a message that waits; false when there is none, or it is being sent. After true it never is. */
export async function cancelScheduled(pool: Pool, appId: string, userId: string, id: string): Promise<boolean> {
  return (await run(pool, cancel, [appId, userId, id])).length === 1;
}

/** Takes a message to send it: from now on it cannot be cancelled. Null: cancelled, sent or refused before. */
export async function takeScheduled(pool: Pool, appId: string, userId: string, id: string): Promise<TakenScheduled | null> {
  const [row] = await run<TakenScheduled & Record<string, unknown>>(pool, take, [appId, userId, id]);
  return row ?? null;
}

/** Lets go of a message that is known not to have been sent: until it is taken again it can be cancelled. */
export async function releaseScheduled(
  pool: Pool,
  { appId, userId, id, takenAt }: ScheduledKey & { readonly takenAt: string },
): Promise<void> {
  await run(pool, release, [appId, userId, id, takenAt]);
}

/** Ends a message that was taken: sent (`failedCode` null), or refused with this code, under which its sender finds it. */
export async function finishScheduled(pool: Pool, appId: string, userId: string, id: string, failedCode: string | null): Promise<void> {
  if (failedCode === null) await run(pool, remove, [appId, userId, id]);
  else await run(pool, fail, [appId, userId, id, failedCode]);
}

/**
 * Messages that should have been sent at least `olderThanMs` ago, the longest due first, and that nobody has tried to send for four times as
 * long: their job got lost.
 */
export function dueScheduled(pool: Pool, query: { readonly olderThanMs: number; readonly limit: number }): Promise<ScheduledKey[]> {
  return run<ScheduledKey & Record<string, unknown>>(pool, due, [query.olderThanMs, query.limit]);
}
