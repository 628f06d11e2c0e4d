import { type Logger, type SessionRegistry, toNudgeError } from '@nudge/server-kit';
import type { Presence, PresenceStatus } from '@nudge/types';
import type { Relay } from './connection.ts';
import type { Hub } from './hub.ts';
import type { Session } from './session.ts';

export interface PresenceOptions {
  readonly registry: SessionRegistry;
  readonly relay: Relay;
  readonly hub: Hub;
  readonly gatewayId: string;
  readonly log: Logger;
}

/** Room of those who watch a user's presence. */
export const presenceRoom = (appId: string, userId: string): string => `${appId}/p/${userId}`;

/** Keeps the registry informed of this gateway's sessions, and those who watch a user of changes. A change is announced from the registry's view of all gateways. */
export class PresenceService {
  readonly #options: PresenceOptions;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** The session is there (again). */
  async arrived(session: Session): Promise<void> {
    session.present = true;
    const alreadyOnline = this.#others(session).some((other) => other.status === 'online');
    await this.#put(session);
    if (!alreadyOnline) await this.#announce(session);
  }

  /** The session has not come back in time, or said goodbye. */
  async departed(session: Session): Promise<void> {
    if (!session.present) return;
    session.present = false;
    const { registry } = this.#options;
    try {
      await registry.remove(session.appId, session.userId, session.id);
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#others(session).some((other) => other.status === 'online')) await this.#announce(session);
  }

  async set(session: Session, status: Exclude<PresenceStatus, 'offline'>): Promise<void> {
    if (session.status === status) return;
    session.status = status;
    await this.#put(session);
    await this.#announce(session);
  }

  /** Replaces the list of watched users; answers how they are now. Changes are heard from before the answer was read. */
  async watch(session: Session, userIds: readonly string[]): Promise<Presence[]> {
    const users = [...new Set(userIds)];
    const kept = new Set(users);
    for (const userId of session.watchedUsers ?? []) if (!kept.has(userId)) session.connection?.leave(presenceRoom(session.appId, userId));
    session.watchedUsers = users.length === 0 ? undefined : users;
    for (const userId of users) session.connection?.join(presenceRoom(session.appId, userId));
    return this.#options.registry.presenceOf(session.appId, users);
  }

  #others(session: Session): Session[] {
    return this.#options.hub.sessions(session.topic).filter((other) => other !== session && other.present);
  }

  async #put(session: Session): Promise<void> {
    const { appId, userId, deviceId, id: sessionId, status, connectedAt } = session;
    try {
      await this.#options.registry.put({
        appId,
        userId,
        deviceId,
        sessionId,
        gatewayId: this.#options.gatewayId,
        status,
        connectedAt,
      });
    } catch (error) {
      this.#failed(error);
    }
  }

  async #announce({ appId, userId }: Session): Promise<void> {
    try {
      const [presence] = await this.#options.registry.presenceOf(appId, [userId]);
      if (presence !== undefined) this.#options.relay.emit(presenceRoom(appId, userId), 'presence', presence);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Presence is a courtesy: its failure ends no session. */
  #failed(error: unknown): void {
    this.#options.log.warn({ err: error, code: toNudgeError(error).code }, 'the session registry failed');
  }
}
