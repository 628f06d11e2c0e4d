import { type Bus, type Logger, type SessionRecord, type SessionRegistry, userTopic } from '@nudge/server-kit';
import type { Presence, SessionView } from '@nudge/types';
import type { KickedSessions, RestrictionStore } from '../../store/restriction-store.ts';

/** Sessions as the bus names them: one, those of a device, or all. */
type NamedSessions = Pick<KickedSessions, 'sessionId' | 'deviceId'>;

export interface UserSessionsOptions {
  readonly registry: Pick<SessionRegistry, 'sessionsOf' | 'presenceOf'>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly store: Pick<RestrictionStore, 'kick'>;
  readonly log: Logger;
}

/**
 * Who is connected, and how that ends. The registry may have forgotten a session that lives; what ends sessions is the word to their gateways: by
 * the bus at once, and by the database, which each gateway asks every few seconds, also when the bus is away.
 */
export class UserSessions {
  readonly #options: UserSessionsOptions;

  constructor(options: UserSessionsOptions) {
    this.#options = options;
  }

  /** The user's live sessions, oldest first. */
  async list(appId: string, userId: string): Promise<SessionView[]> {
    return (await this.#options.registry.sessionsOf(appId, userId)).map(view);
  }

  /** One item per user, in the order asked. Who shows its presence to nobody is offline here too. */
  presence(appId: string, userIds: readonly string[]): Promise<Presence[]> {
    return this.#options.registry.presenceOf(appId, userIds);
  }

  /** Ends one session; answers how many were known. */
  async end(appId: string, userId: string, sessionId: string): Promise<number> {
    const known = await this.#options.registry.sessionsOf(appId, userId);
    await this.#kick(appId, userId, { sessionId }, [{ sessionId }]);
    return known.filter((session) => session.sessionId === sessionId).length;
  }

  /** Ends all sessions of the user, or all but one; answers how many were known. */
  async endAll(appId: string, userId: string, except?: string): Promise<number> {
    const known = await this.#options.registry.sessionsOf(appId, userId);
    const meant = known.map(({ sessionId }) => ({ sessionId })).filter(({ sessionId }) => sessionId !== except);
    if (except === undefined) await this.#kick(appId, userId, {}, [{}]);
    else await this.#kick(appId, userId, { exceptId: except }, meant);
    return meant.length;
  }

  /** Ends all sessions of one device of the user; answers how many were known. */
  async endDevice(appId: string, userId: string, deviceId: string): Promise<number> {
    const known = await this.#options.registry.sessionsOf(appId, userId);
    await this.#kick(appId, userId, { deviceId }, [{ deviceId }]);
    return known.filter((session) => session.deviceId === deviceId).length;
  }

  /** `named` as the bus is to name them; one without a name is all of the user's. */
  async #kick(appId: string, userId: string, which: KickedSessions, named: readonly NamedSessions[]): Promise<void> {
    const { store, bus, log } = this.#options;
    await store.kick(appId, userId, which);
    const topic = userTopic(appId, userId);
    const kick = { kind: 'kick', reason: 'kicked' } as const;
    try {
      await bus.publish(named.map((sessions) => ({ topic, message: { ...kick, ...sessions } })));
    } catch (error) {
      log.warn({ err: error }, 'gateways could not be told that sessions end: they read it within seconds');
    }
  }
}

function view({ sessionId, deviceId, platform, gatewayId, status, connectedAt }: SessionRecord): SessionView {
  const at = new Date(connectedAt).toISOString();
  return { sessionId, deviceId, ...(platform === undefined ? {} : { platform }), gatewayId, status, connectedAt: at };
}
