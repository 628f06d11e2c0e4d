import { type Bus, NudgeError, type NudgeErrorOptions, type SessionRegistry, userTopic } from '@nudge/server-kit';
import type { JsonObject, Limits, Me, PresenceVisibility, Profile } from '@nudge/types';
import type { OwnProfileRow, ProfileRow, UserStore } from '../../store/user-store.ts';
import { metadataText } from '../conversations/draft.ts';

/** What of a profile is to change. Absent and null leave a field; `''` and `{}` clear it. */
export interface ProfilePatch {
  readonly displayName?: string | null | undefined;
  readonly avatarUrl?: string | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
  readonly presenceVisibility?: PresenceVisibility | null | undefined;
}

export interface ProfilesOptions {
  readonly users: Pick<UserStore, 'ownProfile' | 'changeProfile' | 'profiles'>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly registry: Pick<SessionRegistry, 'forgetLastSeen'>;
  readonly limits: Pick<Limits, 'metadataBytes'>;
}

/** Profiles of users, one's own and others'. */
export class Profiles {
  readonly #options: ProfilesOptions;

  constructor(options: ProfilesOptions) {
    this.#options = options;
  }

  /** The caller's own user; throws `not_found` when it was deleted. */
  async own(appId: string, userId: string): Promise<Me> {
    return me(await this.#options.users.ownProfile(appId, userId));
  }

  /**
   * Changes the caller's own user. Gateways are told of the visibility whenever it is named, even if it stood so already: a request that
   * is repeated because nobody could be told is to tell them. Throws `too_large` for metadata over its limit.
   */
  async change(appId: string, userId: string, patch: ProfilePatch): Promise<Me> {
    const { users, bus, registry, limits } = this.#options;
    const { displayName = null, avatarUrl = null, presenceVisibility = null } = patch;
    const metadata = metadataText(patch.metadata, limits);
    const changed = me(await users.changeProfile(appId, userId, { displayName, avatarUrl, metadata, presenceVisibility }));
    if (presenceVisibility === 'nobody') await registry.forgetLastSeen(appId, userId);
    if (presenceVisibility !== null) await bus.publish([{ topic: userTopic(appId, userId), message: { kind: 'user' } }]);
    return changed;
  }

  /** Profiles by id; users who do not exist are left out. */
  async of(appId: string, userIds: readonly string[]): Promise<Profile[]> {
    return (await this.#options.users.profiles(appId, [...new Set(userIds)])).map(profile);
  }
}

function me(row: OwnProfileRow | null): Me {
  const gone: NudgeErrorOptions = { detail: 'There is no such user any more' };
  if (row === null) throw new NudgeError('not_found', gone);
  return { ...profile(row), presenceVisibility: row.presenceVisibility, createdAt: row.createdAt };
}

function profile({ id, displayName, avatarUrl, metadata }: ProfileRow): Profile {
  return { id, displayName, avatarUrl, metadata: metadata === null ? null : (JSON.parse(metadata) as Record<string, unknown>) };
}
