import { type Bus, type SessionRecord, type SessionRegistry, userTopic } from '@nudge/server-kit';
import type { Presence, SessionView } from '@nudge/types';

export interface UserSessionsOptions {
  readonly registry: Pick<SessionRegistry, 'sessionsOf' | 'presenceOf'>;
  readonly bus: Pick<Bus, 'publish'>;
}

/** Who is connected, and how that ends. The registry may have forgotten a session that lives; what ends sessions is the word to their gateways. */
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

  /** Ends one session; answers how many were known. Throws `overloaded` when the gateways cannot be told. */
  async end(appId: string, userId: string, sessionId: string): Promise<number> {
    const known = await this.#options.registry.sessionsOf(appId, userId);
    await this.#kick(appId, userId, [sessionId]);
    return known.filter((session) => session.sessionId === sessionId).length;
  }

  /** Ends all sessions of the user, or all but one; answers how many were known. Throws `overloaded` when the gateways cannot be told. */
  async endAll(appId: string, userId: string, except?: string): Promise<number> {
    const known = await this.#options.registry.sessionsOf(appId, userId);
    const meant = known.map(({ sessionId }) => sessionId).filter((sessionId) => sessionId !== except);
    await this.#kick(appId, userId, except === undefined ? undefined : meant);
    return meant.length;
  }

  /** Without ids all of the user's. */
  async #kick(appId: string, userId: string, sessionIds?: readonly string[]): Promise<void> {
    const topic = userTopic(appId, userId);
    const kick = { kind: 'kick', reason: 'kicked' } as const;
    const messages = sessionIds?.map((sessionId) => ({ ...kick, sessionId })) ?? [kick];
    await this.#options.bus.publish(messages.map((message) => ({ topic, message })));
  }
}

function view({ sessionId, deviceId, platform, gatewayId, status, connectedAt }: SessionRecord): SessionView {
  const at = new Date(connectedAt).toISOString();
  return { sessionId, deviceId, ...(platform === undefined ? {} : { platform }), gatewayId, status, connectedAt: at };
}
