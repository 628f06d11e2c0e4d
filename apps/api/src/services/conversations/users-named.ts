import { NudgeError } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { UserStore } from '../../store/user-store.ts';

/** Users named in one error. */
const NAMED = 5;

/** Judges the users whom a request would make members. */
export class UsersNamed {
  readonly #users: Pick<UserStore, 'unknownUsers' | 'usersAtLimit'>;
  readonly #limits: Pick<Limits, 'conversationsPerUser'>;

  constructor(users: Pick<UserStore, 'unknownUsers' | 'usersAtLimit'>, limits: Pick<Limits, 'conversationsPerUser'>) {
    this.#users = users;
    this.#limits = limits;
  }

  /** Throws `user_unknown` when one of them does not exist in the app. */
  async mustExist(appId: string, userIds: readonly string[]): Promise<void> {
    if (userIds.length === 0) return;
    const unknown = await this.#users.unknownUsers(appId, userIds);
    if (unknown.length > 0) throw new NudgeError('user_unknown', { detail: `No such user: ${list(unknown)}` });
  }

  /**
   * Throws `invalid_request` when one of them is in as many conversations as a user may be. `alreadyIn` is asked only then: who is a
   * member already needs no room.
   */
  async mustHaveRoom(appId: string, userIds: readonly string[], alreadyIn?: () => Promise<readonly string[]>): Promise<void> {
    const limit = this.#limits.conversationsPerUser;
    let full = await this.#users.usersAtLimit(appId, userIds, limit);
    if (full.length > 0 && alreadyIn !== undefined) {
      const members = new Set(await alreadyIn());
      full = full.filter((userId) => !members.has(userId));
    }
    if (full.length === 0) return;
    throw new NudgeError('invalid_request', {
      detail: `In ${limit} conversations already (conversationsPerUser): ${list(full)}`,
    });
  }
}

function list(userIds: readonly string[]): string {
  const named = userIds.slice(0, NAMED).join(', ');
  return userIds.length > NAMED ? `${named} and ${userIds.length - NAMED} more` : named;
}
