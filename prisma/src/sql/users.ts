import type { Pool } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

export interface UserInput {
  readonly id: string;
  readonly displayName?: string | null;
  readonly avatarUrl?: string | null;
  /** JSON text. */
  readonly metadata?: string | null;
}

export interface UserRow {
  readonly id: string;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export const userColumns = `c.id, c.display_name as "displayName", c.avatar_url as "avatarUrl", c.metadata::text as metadata,
  rfc3339(c.created_at) as "createdAt", rfc3339(c.updated_at) as "updatedAt"`;

/**
 * Locks: user rows in id order, so two bulk upserts cannot deadlock. Index: `chat_user_pkey`.
 * A row that would not change is not rewritten. An absent field keeps its value, so that naming a user does not wipe the profile.
 */
const upsert: Statement = {
  name: 'upsert_users',
  text: `insert into chat_user as c (app_id, id, display_name, avatar_url, metadata)
    select $1, u.id, u.name, u.avatar, u.metadata::jsonb
    from (select distinct on (id) * from unnest($2::text[], $3::text[], $4::text[], $5::text[]) with ordinality x (id, name, avatar, metadata, ord)
          order by id, ord desc) u
    order by u.id
    on conflict (app_id, id) do update set display_name = coalesce(excluded.display_name, c.display_name),
      avatar_url = coalesce(excluded.avatar_url, c.avatar_url), metadata = coalesce(excluded.metadata, c.metadata), updated_at = now(), deleted_at = null
    where c.deleted_at is not null
      or (coalesce(excluded.display_name, c.display_name), coalesce(excluded.avatar_url, c.avatar_url), coalesce(excluded.metadata, c.metadata))
         is distinct from (c.display_name, c.avatar_url, c.metadata)`,
};

/** Index: `chat_user_pkey`. A user who exists costs no write and no transaction id. */
const ensure: Statement = {
  name: 'ensure_user',
  text: `with made as (insert into chat_user (app_id, id) values ($1, $2) on conflict (app_id, id) do nothing returning 1)
    select exists (select from made) as created`,
};

/** Index: `chat_user_pkey`, one lookup per id. */
const unknown: Statement = {
  name: 'unknown_users',
  text: `select u.id from unnest($2::text[]) u (id)
    left join lateral (select true as known from chat_user c where c.app_id = $1 and c.id = u.id and c.deleted_at is null offset 0) c on true
    where c.known is null`,
};

/** Index: `chat_user_pkey`, one lookup per id. */
const byIds: Statement = {
  name: 'users_by_ids',
  text: `select ${userColumns} from chat_user c where c.app_id = $1 and c.id = any ($2::text[]) and c.deleted_at is null order by c.id`,
};

/** Creates or updates users; of several rows for one id the last counts. */
export async function upsertUsers(pool: Pool, appId: string, rows: readonly UserInput[]): Promise<void> {
  if (rows.length === 0) return;
  await run(pool, upsert, [
    appId,
    rows.map((row) => row.id),
    rows.map((row) => row.displayName ?? null),
    rows.map((row) => row.avatarUrl ?? null),
    rows.map((row) => row.metadata ?? null),
  ]);
}

/** Creates the user's row unless it is there; answers whether it was created. */
export async function ensureUser(pool: Pool, appId: string, userId: string): Promise<boolean> {
  return (await runOne<{ created: boolean }>(pool, ensure, [appId, userId])).created;
}

/** Those of `ids` that are no users of the app. */
export async function unknownUsers(pool: Pool, appId: string, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  return (await run<{ id: string }>(pool, unknown, [appId, ids])).map((row) => row.id);
}

/** Profiles, ascending by id; unknown ids have no row. */
export function usersByIds(pool: Pool, appId: string, ids: readonly string[]): Promise<UserRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return run<UserRow & Record<string, unknown>>(pool, byIds, [appId, ids]);
}
