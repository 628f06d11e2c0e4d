import { applyFeed, feedAfter, joinedCounts, type Pool, unknownUsers, upsertUsers } from '@nudge/db';
import { contentSecret } from './content-secret.ts';
import type { FeedWrite, UserStore, UserUpsert } from './user-store.ts';

/** The user and app side on one PostgreSQL. */
export class PostgresUserStore implements UserStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  applyFeed(writes: readonly FeedWrite[]): Promise<readonly (number | null)[]> {
    return applyFeed(this.#pool, writes);
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
}
