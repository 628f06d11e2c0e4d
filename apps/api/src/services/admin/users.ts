import { type AppDirectory, type Clock, mintToken, NudgeError } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import type { RestrictionStore } from '../../store/restriction-store.ts';
import type { UserStore } from '../../store/user-store.ts';
import { metadataText } from '../conversations/draft.ts';

/** A user as the integrator describes it. What is left out or null stays as it is. */
export interface UserDescription {
  readonly id: string;
  readonly displayName?: string | null | undefined;
  readonly avatarUrl?: string | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
}

export interface UsersOptions {
  readonly users: Pick<UserStore, 'upsertUsers'>;
  readonly restrictions: Pick<RestrictionStore, 'tokenCutOff'>;
  readonly directory: Pick<AppDirectory, 'signingKey'>;
  readonly limits: Pick<Limits, 'metadataBytes' | 'tokenLifetimeSeconds'>;
  readonly clock: Clock;
}

/** Lifetime of a token when the caller names none, seconds. */
const DEFAULT_TTL_SECONDS = 60 * 60;

/** Users of an app and tokens for them. */
export class Users {
  readonly #options: UsersOptions;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** Creates or updates the users; named twice, the last one counts. Throws `too_large` for metadata over its limit. */
  async upsert(appId: string, descriptions: readonly UserDescription[]): Promise<number> {
    const { users, limits } = this.#options;
    const byId = new Map(
      descriptions.map(({ id, displayName, avatarUrl, metadata }) => [
        id,
        {
          id,
          displayName: displayName ?? null,
          avatarUrl: avatarUrl ?? null,
          metadata: metadataText(metadata, limits),
        },
      ]),
    );
    await users.upsertUsers(appId, [...byId.values()]);
    return byId.size;
  }

  /** A token for a user that exists; throws `not_found` for one that does not. `expiresAt` in ms since 1970. */
  async mint(appId: string, userId: string, ttlSeconds: number | undefined): Promise<{ token: string; expiresAt: number }> {
    const { restrictions, directory, limits, clock } = this.#options;
    const validAfter = await restrictions.tokenCutOff(appId, userId);
    if (validAfter === undefined) throw new NudgeError('not_found', { detail: 'There is no such user: create it first' });
    const key = directory.signingKey(appId);
    if (key === undefined) {
      throw new NudgeError('forbidden', {
        detail: 'The app has no key of kind hs256 to sign with: sign tokens on your own server',
      });
    }
    const ttl = Math.min(ttlSeconds ?? DEFAULT_TTL_SECONDS, limits.tokenLifetimeSeconds);
    return mintToken({ key, userId, ttlSeconds: ttl, clock, validAfter });
  }
}
