import { randomUUID } from 'node:crypto';
import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** Sessions of a user that were ended from elsewhere: one, or all (of a device, where that is named) that began before `at` but for one. */
export interface SessionKickRow {
  readonly id: string;
  readonly appId: string;
  readonly userId: string;
  readonly sessionId: string | null;
  readonly exceptId: string | null;
  readonly deviceId: string | null;
  /** ms since 1970, by the database's clock. */
  readonly at: number;
}

/** Rows of one page. */
const PAGE = 5_000;

const ms = (time: string): string => `(extract(epoch from ${time}) * 1000)::float8`;

/**
 * Locks: its own row, and rows older than ten minutes that nobody else has locked. Index: `session_kick_at`. More are taken out than come in, so the
 * table holds what the last ten minutes brought.
 */
const record: Statement = {
  name: 'record_session_kick',
  text: `with over as materialized (
      select k.app_id, k.user_id, k.id from session_kick k where k.at < now() - interval '10 minutes' order by k.at limit 10 for update skip locked
    ), gone as (
      delete from session_kick k using over where (k.app_id, k.user_id, k.id) = (over.app_id, over.user_id, over.id)
    )
    insert into session_kick (app_id, user_id, id, session_id, except_id, device_id, at)
      values ($1, $2, $3, $4, $5, $6, clock_timestamp())`,
};

const now: Statement = { name: 'session_kicks_now', text: `select ${ms('now()')} as "readAt"` };

/** No lock. Index: `session_kick_at`, from the time given on. */
const since: Statement = {
  name: 'session_kicks_since',
  text: `select k.id, k.app_id as "appId", k.user_id as "userId", k.session_id as "sessionId", k.except_id as "exceptId",
      k.device_id as "deviceId", ${ms('k.at')} as at, k.at::text as "after" from session_kick k
    where (k.at, k.app_id, k.user_id, k.id) > ($1::timestamptz, $2, $3, $4::uuid) order by k.at, k.app_id, k.user_id, k.id limit ${PAGE}`,
};

const firstId = '00000000-0000-0000-0000-000000000000';

/** Which of a user's sessions end: the one that is named, else all, or all of a device, but for the one that is excepted. */
interface KickedSessions {
  readonly sessionId?: string | undefined;
  readonly exceptId?: string | undefined;
  readonly deviceId?: string | undefined;
}

/** Ends sessions of a user: all of them when nothing says which. */
export async function recordSessionKick(pool: Pool, appId: string, userId: string, which: KickedSessions = {}): Promise<void> {
  const { sessionId, exceptId, deviceId } = which;
  await run(pool, record, [appId, userId, randomUUID(), sessionId ?? null, exceptId ?? null, deviceId ?? null]);
}

/**
 * What was ended since a time (ms, by the database's clock), oldest first; with null only the time is read. `readAt`: the database's time before
 * anything was read. A row may be committed as late after its time as a statement may take, so the next time is to lie that much before `readAt`.
 */
export async function sessionKicks(
  pool: Pool,
  from: number | null,
): Promise<{ readonly rows: readonly SessionKickRow[]; readonly readAt: number }> {
  const { readAt } = await runOne<{ readAt: number }>(pool, now, []);
  const rows: SessionKickRow[] = [];
  if (from === null) return { rows, readAt };
  let after: readonly string[] = [new Date(from).toISOString(), '', '', firstId];
  for (;;) {
    const found = await run<SessionKickRow & { after: string } & Record<string, unknown>>(pool, since, after);
    for (const { after: _, ...row } of found) rows.push(row);
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) return { rows, readAt };
    after = [last.after, last.appId, last.userId, last.id];
  }
}
