import { type Logger, type SessionRegistry, toNudgeError } from '@nudge/server-kit';
import type { Presence, PresenceStatus } from '@nudge/types';
import type { Relay } from './connection.ts';
import type { Hub } from './hub.ts';
import type { Relation, RelationChange } from './relations.ts';
import type { Session } from './session.ts';

export interface PresenceOptions {
  readonly registry: SessionRegistry;
  readonly relay: Relay;
  readonly hub: Hub;
  readonly gatewayId: string;
  readonly log: Logger;
}

/** Room of those who watch another user's presence. */
export const presenceRoom = (appId: string, userId: string): string => `${appId}/p/${userId}`;

/** Room of the user's own devices that watch it: they hear of it while it is hidden from everybody else. */
const ownRoom = (appId: string, userId: string): string => `${appId}/p/${userId}/own`;

/**
 * Keeps the registry informed of this gateway's sessions, and those who watch a user of changes. A change is announced from the registry's
 * view of all gateways.
 *
 * Whoever stands in a block with a user is not in the user's room: what is emitted there reaches nobody it must not reach, on whatever
 * gateway. A hidden user is marked so in the registry by the gateway that holds its sessions, and announced to its own devices only.
 */
export class PresenceService {
  readonly #options: PresenceOptions;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Tells the registry of a session that is about to be connected, and nobody else. */
  async enrol(session: Session): Promise<void> {
    if (session.state === 'ended') return;
    session.enrolled = !session.present;
    await this.#put(session);
  }

  /** The session is there (again). */
  async arrived(session: Session): Promise<void> {
    session.present = true;
    session.enrolled = false;
    const alreadyOnline = this.#isOnlineElsewhere(session);
    // What is not known yet counts as hidden, and a first state that comes late makes no news of its own.
    if (session.relation?.isLoaded === false) await session.relation.first;
    if (!session.present) return;
    await this.#put(session);
    if (!alreadyOnline) await this.#announce(session);
  }

  /** The registry has lost what it knew of the session. */
  async register(session: Session): Promise<void> {
    if (session.present || session.enrolled) await this.#put(session);
  }

  /** The session has not come back in time, or said goodbye. */
  async departed(session: Session): Promise<void> {
    const wasPresent = session.present;
    if (!wasPresent && !session.enrolled) return;
    session.present = false;
    session.enrolled = false;
    // Of sessions that leave together the last one says so, for all.
    const isNews = wasPresent && !this.#isOnlineElsewhere(session);
    const { registry } = this.#options;
    try {
      await registry.remove(session.appId, session.userId, session.id);
    } catch (error) {
      this.#failed(error);
    }
    if (isNews && !this.#isOnlineElsewhere(session)) await this.#announce(session);
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
    for (const userId of session.watchedUsers ?? []) if (!kept.has(userId)) session.connection?.leave(roomOf(session, userId));
    session.watchedUsers = users.length === 0 ? undefined : users;
    this.#joinRooms(session);
    const presence = await this.#options.registry.presenceOf(session.appId, users, session.userId);
    return presence.map((one) => (isRelated(session, one.userId) ? { userId: one.userId, status: 'offline' } : one));
  }

  /** The session has another connection: it goes on hearing of those whom it watches, and learns of blocks set while it had none. */
  resumed(session: Session): void {
    this.#joinRooms(session);
    for (const userId of session.watchedUsers ?? []) {
      if (isRelated(session, userId)) session.connection?.presence({ userId, status: 'offline' });
    }
  }

  /** The blocks or the privacy of a user who is here changed. */
  async changed(relation: Relation, { added, removed, visibility }: RelationChange): Promise<void> {
    const sessions = [...this.#options.hub.sessions(relation.topic)];
    for (const session of sessions) this.#part(session, added);
    if (visibility) await this.#changeVisibility(relation, sessions);
    for (const session of sessions) await this.#rejoin(session, removed);
  }

  /** From now on the session hears nothing of these users, whom it is left to see as offline. */
  #part(session: Session, related: readonly string[]): void {
    for (const userId of watchedAmong(session, related)) {
      session.connection?.leave(roomOf(session, userId));
      session.connection?.presence({ userId, status: 'offline' });
    }
  }

  async #rejoin(session: Session, unrelated: readonly string[]): Promise<void> {
    const users = watchedAmong(session, unrelated);
    if (users.length === 0) return;
    this.#joinRooms(session);
    try {
      for (const presence of await this.#options.registry.presenceOf(session.appId, users, session.userId)) {
        if (isRelated(session, presence.userId) || !session.watchedUsers?.includes(presence.userId)) continue;
        session.connection?.presence(presence);
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  async #changeVisibility(relation: Relation, sessions: readonly Session[]): Promise<void> {
    const { appId, userId } = relation;
    const present = sessions.filter((session) => session.present);
    // The registry first: who begins to watch afterwards reads the new state, who watches already is told.
    await Promise.all(present.map((session) => this.#put(session)));
    if (relation.hidden) {
      this.#options.relay.emit(presenceRoom(appId, userId), 'presence', { userId, status: 'offline' });
    } else if (present[0] !== undefined) {
      await this.#announce(present[0]);
    }
  }

  /** Puts the session's connection into the rooms of the users whom it watches and may hear of. */
  #joinRooms(session: Session): void {
    for (const userId of session.watchedUsers ?? []) {
      if (!isRelated(session, userId)) session.connection?.join(roomOf(session, userId));
    }
  }

  /** Whether another session of the user, on this gateway, is online. */
  #isOnlineElsewhere(session: Session): boolean {
    return this.#options.hub.sessions(session.topic).some((other) => other !== session && other.present && other.status === 'online');
  }

  async #put(session: Session): Promise<void> {
    const { appId, userId, deviceId, platform, id: sessionId, status, connectedAt } = session;
    const { registry, gatewayId } = this.#options;
    const hidden = isHidden(session);
    const named = platform === undefined ? {} : { platform };
    try {
      await registry.put({ appId, userId, deviceId, ...named, sessionId, gatewayId, status, connectedAt, hidden });
    } catch (error) {
      this.#failed(error);
    }
  }

  async #announce(session: Session): Promise<void> {
    const { appId, userId } = session;
    const hidden = isHidden(session);
    try {
      const viewer = hidden ? [userId] : [];
      const [presence] = await this.#options.registry.presenceOf(appId, [userId], ...viewer);
      // A visibility that changed meanwhile is announced by itself.
      if (presence === undefined || isHidden(session) !== hidden) return;
      const own = ownRoom(appId, userId);
      // Nobody is in both, and a room by itself has a channel of its own between gateways.
      for (const room of hidden ? [own] : [presenceRoom(appId, userId), own]) this.#options.relay.emit(room, 'presence', presence);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Presence is a courtesy: its failure ends no session. */
  #failed(error: unknown): void {
    this.#options.log.warn({ err: error, code: toNudgeError(error).code }, 'the session registry failed');
  }
}

/** Whether the session's user is to be seen by nobody, as far as is known. */
const isHidden = (session: Session): boolean => session.relation?.hidden ?? true;

const isRelated = (session: Session, userId: string): boolean => session.relation?.related.has(userId) ?? true;

const roomOf = (session: Session, userId: string): string =>
  userId === session.userId ? ownRoom(session.appId, userId) : presenceRoom(session.appId, userId);

function watchedAmong(session: Session, userIds: readonly string[]): string[] {
  const { watchedUsers } = session;
  return watchedUsers === undefined || userIds.length === 0 ? [] : userIds.filter((userId) => watchedUsers.includes(userId));
}
