import { type Bus, type KickReason, type Logger, type Restriction, type Restrictions, userTopic } from '@nudge/server-kit';
import type { RestrictionStore } from '../../store/restriction-store.ts';

export interface RevocationOptions {
  readonly store: RestrictionStore;
  /** What this process goes by; others read it within seconds. */
  readonly revocations: Pick<Restrictions, 'apply'>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly log: Logger;
}

/**
 * Takes tokens back and shuts users out. The database is what counts: every process reads it within seconds. Gateways are told at once as well,
 * but nothing depends on that, so it may fail.
 */
export class Revocation {
  readonly #options: RevocationOptions;

  constructor(options: RevocationOptions) {
    this.#options = options;
  }

  /** Tokens issued before the time it answers (ms) are refused. */
  async revokeTokens(appId: string, userId: string): Promise<number> {
    const { store, revocations } = this.#options;
    const restriction = await store.revokeTokens(appId, userId);
    revocations.apply(restriction);
    await this.#tell(restriction, 'token_revoked');
    if (restriction.validAfter === null) throw new Error('a revocation without a cut-off');
    return restriction.validAfter;
  }

  /** Until when the user is shut out; null is for ever. */
  async ban(appId: string, userId: string, until: Date | null): Promise<Date | null> {
    const { store, revocations } = this.#options;
    const restriction = await store.ban(appId, userId, until);
    revocations.apply(restriction);
    const { bannedUntil } = restriction;
    if (bannedUntil !== null && bannedUntil > Date.now()) await this.#tell(restriction, 'kicked');
    return bannedUntil === null || bannedUntil === Number.POSITIVE_INFINITY ? null : new Date(bannedUntil);
  }

  /** Whether there was a ban. */
  async unban(appId: string, userId: string): Promise<boolean> {
    const { store, revocations } = this.#options;
    const restriction = await store.unban(appId, userId);
    if (restriction !== null) revocations.apply(restriction);
    return restriction !== null;
  }

  async #tell({ appId, userId }: Restriction, reason: KickReason): Promise<void> {
    try {
      await this.#options.bus.publish([{ topic: userTopic(appId, userId), message: { kind: 'kick', reason } }]);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'gateways could not be told of a revocation: they read it within seconds');
    }
  }
}
