import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { type UserRow, userColumns } from './users.ts';

export type PresenceVisibility = 'everyone' | 'nobody';

/** A user as the user's own devices see it. */
export interface OwnProfile extends UserRow {
  readonly presenceVisibility: PresenceVisibility;
}

/** Absent and null leave a field alone; '' clears a text, '{}' the metadata. */
export interface ProfilePatch {
  readonly displayName?: string | null | undefined;
  readonly avatarUrl?: string | null | undefined;
  /** JSON text of an object. */
  readonly metadata?: string | null | undefined;
  readonly presenceVisibility?: PresenceVisibility | null | undefined;
}

const columns = `${userColumns}, c.presence_visibility as "presenceVisibility"`;

/** Index: `chat_user_pkey`. No lock. */
const one: Statement = {
  name: 'user_profile',
  text: `select ${columns} from chat_user c where c.app_id = $1 and c.id = $2 and c.deleted_at is null`,
};

/**
 * Locks: the user's row. Index: `chat_user_pkey`. The old visibility is read under the lock, so of two changes at once each knows what it
 * changed. Rejected: a read before the update.
 */
const update: Statement = {
  name: 'update_profile',
  text: `with old as (select o.presence_visibility from chat_user o where o.app_id = $1 and o.id = $2 and o.deleted_at is null for no key update)
    update chat_user c set display_name = nullif(coalesce($3, c.display_name), ''), avatar_url = nullif(coalesce($4, c.avatar_url), ''),
      metadata = nullif(coalesce($5::jsonb, c.metadata), '{}'), presence_visibility = coalesce($6, c.presence_visibility), updated_at = now()
    from old where c.app_id = $1 and c.id = $2
    returning ${columns}, c.presence_visibility <> old.presence_visibility as "presenceChanged"`,
};

/** Index: `chat_user_pkey`, one lookup per id. No lock. */
const visibility: Statement = {
  name: 'presence_visibility',
  text: `select u.id, c.presence_visibility as visibility from unnest($2::text[]) u (id)
    cross join lateral (select * from chat_user c where c.app_id = $1 and c.id = u.id and c.deleted_at is null offset 0) c`,
};

/** A user's own profile; null when there is no such user. */
export async function getUser(pool: Pool, appId: string, userId: string): Promise<OwnProfile | null> {
  const [row] = await run<OwnProfile & Record<string, unknown>>(pool, one, [appId, userId]);
  return row ?? null;
}

/**
 * Changes a user's own profile; null when there is no such user. `presenceChanged`: gateways must hear of it.
 *
 * @throws {DataError | LockTimeout | DatabaseUnavailable}
 */
export async function updateMe(
  pool: Pool,
  appId: string,
  userId: string,
  patch: ProfilePatch,
): Promise<{ user: OwnProfile; presenceChanged: boolean } | null> {
  const { displayName = null, avatarUrl = null, metadata = null, presenceVisibility = null } = patch;
  const values = [appId, userId, displayName, avatarUrl, metadata, presenceVisibility];
  const [row] = await run<OwnProfile & { presenceChanged: boolean } & Record<string, unknown>>(pool, update, values);
  if (row === undefined) return null;
  const { presenceChanged, ...user } = row;
  return { user, presenceChanged };
}

/** Who may see these users' presence; unknown ids have no entry. */
export async function presenceVisibility(pool: Pool, appId: string, ids: readonly string[]): Promise<Map<string, PresenceVisibility>> {
  if (ids.length === 0) return new Map();
  const rows = await run<{ id: string; visibility: PresenceVisibility }>(pool, visibility, [appId, ids]);
  return new Map(rows.map((row) => [row.id, row.visibility]));
}
