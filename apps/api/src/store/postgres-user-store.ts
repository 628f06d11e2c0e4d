import {
  applyFeed,
  blockedBetween,
  feedAfter,
  getUser,
  isBlockedBy,
  joinedCounts,
  listBlocks,
  type Pool,
  presenceVisibility,
  setBlock,
  unknownUsers,
  updateAppSettings,
  updateMe,
  upsertUsers,
  usersByIds,
} from '@nudge/db';
import type { PresenceVisibility, SessionPolicy } from '@nudge/types';
import { contentSecret } from './content-secret.ts';
import { countableTypes } from './countable-types.ts';
import { feedState } from './feed-state.ts';
import { sessionPolicy } from './session-policy.ts';
import type { BlockChange, FeedWrite, OwnProfileRow, ProfileChange, ProfileRow, UserStore, UserUpsert } from './user-store.ts';

/** The user and app side on one PostgreSQL. */
export class PostgresUserStore implements UserStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  applyFeed(writes: readonly FeedWrite[]): Promise<readonly (number | null)[]> {
    return applyFeed(this.#pool, writes);
  }

  feedState(appId: string, userId: string, subject: string): Promise<string | null> {
    return feedState(this.#pool, appId, userId, subject);
  }

  async feedVersion(appId: string, userId: string): Promise<number> {
    return (await feedAfter(this.#pool, appId, userId, Number.MAX_SAFE_INTEGER, 1)).version;
  }

  upsertUsers(appId: string, users: readonly UserUpsert[]): Promise<void> {
    return upsertUsers(this.#pool, appId, users);
  }

  unknownUsers(appId: string, userIds: readonly string[]): Promise<readonly string[]> {
    return unknownUsers(this.#pool, appId, userIds);
  }

  async usersAtLimit(appId: string, userIds: readonly string[], limit: number): Promise<readonly string[]> {
    const counts = await joinedCounts(this.#pool, appId, userIds);
    return userIds.filter((userId) => (counts.get(userId) ?? 0) >= limit);
  }

  contentSecret(appId: string): Promise<string> {
    return contentSecret(this.#pool, appId);
  }

  countableTypes(appId: string): Promise<readonly string[]> {
    return countableTypes(this.#pool, appId);
  }

  async setCountableTypes(appId: string, types: readonly string[]): Promise<void> {
    await updateAppSettings(this.#pool, appId, { countableTypes: types });
  }

  sessionPolicy(appId: string): Promise<SessionPolicy | null> {
    return sessionPolicy(this.#pool, appId);
  }

  async setSessionPolicy(appId: string, policy: SessionPolicy): Promise<void> {
    const said = Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== null && value !== undefined));
    await updateAppSettings(this.#pool, appId, { sessionPolicy: Object.keys(said).length === 0 ? null : said });
  }

  ownProfile(appId: string, userId: string): Promise<OwnProfileRow | null> {
    return getUser(this.#pool, appId, userId);
  }

  async changeProfile(appId: string, userId: string, change: ProfileChange): Promise<OwnProfileRow | null> {
    return (await updateMe(this.#pool, appId, userId, change))?.user ?? null;
  }

  profiles(appId: string, userIds: readonly string[]): Promise<readonly ProfileRow[]> {
    return usersByIds(this.#pool, appId, userIds);
  }

  presenceVisibility(appId: string, userIds: readonly string[]): Promise<ReadonlyMap<string, PresenceVisibility>> {
    return presenceVisibility(this.#pool, appId, userIds);
  }

  async relatedByBlocks(appId: string, userId: string): Promise<ReadonlySet<string>> {
    return new Set((await blockedBetween(this.#pool, appId, [userId])).get(userId));
  }

  isBlockedBy(appId: string, userId: string, otherId: string): Promise<boolean> {
    return isBlockedBy(this.#pool, appId, userId, otherId);
  }

  async setBlock(change: BlockChange): Promise<boolean> {
    return (await setBlock(this.#pool, change)).changed;
  }

  async blocks(appId: string, userId: string, after: string | null, limit: number): Promise<readonly string[]> {
    const rows = await listBlocks(this.#pool, appId, userId, after, limit);
    return rows.map((row) => row.userId);
  }
}
