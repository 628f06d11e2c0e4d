import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** What stands against a user. Times in ms since 1970; `Infinity` is for ever, null is nothing. */
export interface RestrictionRow {
  readonly appId: string;
  readonly userId: string;
  /** Tokens issued before are refused. */
  readonly validAfter: number | null;
  readonly bannedUntil: number | null;
}

/** Rows of one page. */
const PAGE = 5_000;

const ms = (time: string): string => `(extract(epoch from ${time}) * 1000)::float8`;

const columns = `c.app_id as "appId", c.id as "userId", ${ms('c.tokens_valid_after')} as "validAfter", ${ms('c.banned_until')} as "bannedUntil"`;

/**
 * Locks: the user's row. Index: `chat_user_pkey`. A user who has no row yet may hold a token all the same, so one is made. The cut-off never
 * moves back.
 */
const revoke: Statement = {
  name: 'revoke_tokens',
  text: `insert into chat_user as c (app_id, id, tokens_valid_after, restricted_at) values ($1, $2, clock_timestamp(), clock_timestamp())
    on conflict (app_id, id) do update set restricted_at = clock_timestamp(),
      tokens_valid_after = greatest(c.tokens_valid_after, excluded.tokens_valid_after)
    returning ${columns}`,
};

/** Locks: the user's row. Index: `chat_user_pkey`. */
const ban: Statement = {
  name: 'ban_from_app',
  text: `insert into chat_user as c (app_id, id, banned_until, restricted_at) values ($1, $2, coalesce($3::timestamptz, 'infinity'), clock_timestamp())
    on conflict (app_id, id) do update set banned_until = excluded.banned_until, restricted_at = clock_timestamp()
    returning ${columns}`,
};

/** Locks: the user's row. Index: `chat_user_pkey`. */
const unban: Statement = {
  name: 'unban_from_app',
  text: `update chat_user c set banned_until = null, restricted_at = clock_timestamp() where c.app_id = $1 and c.id = $2 and c.banned_until is not null
    returning ${columns}`,
};

/** Index: `chat_user_pkey`. */
const cutOff: Statement = {
  name: 'token_cut_off',
  text: `select ${ms('c.tokens_valid_after')} as "validAfter" from chat_user c where c.app_id = $1 and c.id = $2 and c.deleted_at is null`,
};

const page = (condition: string): string => `select ${columns}, c.restricted_at::text as "restrictedAt" from chat_user c
    where c.restricted_at is not null and (c.restricted_at, c.app_id, c.id) > ($1::timestamptz, $2, $3) ${condition}
    order by c.restricted_at, c.app_id, c.id limit ${PAGE}`;

/** No lock. Index: `chat_user_restricted`, from the time given on: what changed lately, whatever the number of users. */
const changed: Statement = { name: 'restrictions_changed', text: page('') };

/** No lock. Index: `chat_user_restricted`, whole: once per process. What no longer stands against anybody is left out. */
const inForce: Statement = {
  name: 'restrictions_in_force',
  text: page(`and (c.tokens_valid_after > now() - make_interval(secs => $4) or c.banned_until > now())`),
};

const now: Statement = { name: 'restrictions_now', text: `select ${ms('now()')} as "readAt"` };

/**
 * Refuses every token of the user issued until now.
 *
 * @throws {DataError} when there is no such app
 */
export function revokeTokens(pool: Pool, appId: string, userId: string): Promise<RestrictionRow> {
  return runOne<RestrictionRow & Record<string, unknown>>(pool, revoke, [appId, userId]);
}

/**
 * Bans the user from the whole app, `until` null being for ever.
 *
 * @throws {DataError} when there is no such app
 */
export function banFromApp(pool: Pool, appId: string, userId: string, until: Date | null): Promise<RestrictionRow> {
  return runOne<RestrictionRow & Record<string, unknown>>(pool, ban, [appId, userId, until]);
}

/** Lifts a ban; null when there was none. */
export async function unbanFromApp(pool: Pool, appId: string, userId: string): Promise<RestrictionRow | null> {
  const [row] = await run<RestrictionRow & Record<string, unknown>>(pool, unban, [appId, userId]);
  return row ?? null;
}

/** The user's cut-off; undefined when there is no such user. */
export async function tokenCutOff(pool: Pool, appId: string, userId: string): Promise<number | null | undefined> {
  const [row] = await run<{ validAfter: number | null }>(pool, cutOff, [appId, userId]);
  return row?.validAfter;
}

/**
 * What has changed since `since` (ms, by the database's clock), lifted restrictions included; with null all that is in force, cut-offs older
 * than the longest life of a token left out. `readAt`: the database's time before anything was read. A change may be committed as late after
 * its time as a statement may take, so the next `since` is to lie that much before `readAt`.
 */
export async function restrictions(
  pool: Pool,
  since: number | null,
  tokenLifetimeSeconds: number,
): Promise<{ readonly rows: readonly RestrictionRow[]; readonly readAt: number }> {
  const { readAt } = await runOne<{ readAt: number }>(pool, now, []);
  const rows: RestrictionRow[] = [];
  let after: readonly [string, string, string] = [since === null ? '-infinity' : new Date(since).toISOString(), '', ''];
  for (;;) {
    const found = await run<RestrictionRow & { restrictedAt: string } & Record<string, unknown>>(
      pool,
      since === null ? inForce : changed,
      since === null ? [...after, tokenLifetimeSeconds] : after,
    );
    for (const { appId, userId, validAfter, bannedUntil } of found) rows.push({ appId, userId, validAfter, bannedUntil });
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) return { rows, readAt };
    after = [last.restrictedAt, last.appId, last.userId];
  }
}
