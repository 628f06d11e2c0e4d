import { randomUUID } from 'node:crypto';
import { type Clock, type Identity, type KickReason, NudgeError, userTopic } from '@nudge/server-kit';
import type { DisconnectReason } from '@nudge/types';
import { BucketSchedule } from './bucket-schedule.ts';
import type { Coalescer } from './coalescer.ts';
import type { Connection } from './connection.ts';
import type { Hub } from './hub.ts';
import type { SessionKick } from './kick-poll.ts';
import type { PresenceService } from './presence.ts';
import type { Relations } from './relations.ts';
import { type DeviceOf, Session } from './session.ts';
import { settledWithin } from './settled-within.ts';
import type { TypingRelay } from './typing.ts';
import type { Watches } from './watches.ts';

/** Times in ms. */
export interface SessionOptions {
  readonly clock: Clock;
  readonly hub: Hub;
  readonly coalescer: Coalescer;
  readonly watches: Watches;
  readonly typing: TypingRelay;
  readonly presence: PresenceService;
  readonly relations: Relations;
  /** How long a handshake waits at most for its user's blocks and privacy; without them the user is hidden and hears nothing ephemeral. */
  readonly relationsWaitMs: number;
  /** How long a session without a connection is kept for a resume. */
  readonly resumeMs: number;
  /** Sessions kept at most; beyond that the longest absent is forgotten. */
  readonly resumable: number;
  /** How long a user counts as present after a connection broke. */
  readonly presenceGraceMs: number;
  /** How long before its end a token's holder is told. */
  readonly tokenWarningMs: number;
  /** Presence calls that are on their way when the gateway stops are waited for. */
  readonly track: (work: Promise<void>) => void;
}

/**
 * The sessions of this gateway: opened by a handshake, live on a connection, detached for the resume window, ended. One that is detached
 * still hears the bus, so that a resume needs no read of the database.
 */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #byId = new Map<string, Session>();
  /** In the order in which they lost their connection. */
  readonly #detached = new Set<Session>();
  readonly #expiries: BucketSchedule<Session>;
  readonly #departures: BucketSchedule<Session>;
  /** Sessions ended for good whose connection was still being made. */
  readonly #expelled = new WeakMap<Session, KickReason>();
  #live = 0;
  #draining = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#expiries = new BucketSchedule(options.clock, 1_000, (due) => {
      for (const session of due) this.#checkExpiry(session);
    });
    this.#departures = new BucketSchedule(options.clock, 1_000, (due) => {
      for (const session of due) this.#checkDetached(session);
    });
  }

  get liveCount(): number {
    return this.#live;
  }

  /** Live, or about to be. */
  get activeCount(): number {
    return this.#byId.size - this.#detached.size;
  }

  get detachedCount(): number {
    return this.#detached.size;
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Iterable<Session> {
    return this.#byId.values();
  }

  /** The user's sessions here, those that are kept for a resume included. */
  of(appId: string, userId: string): readonly Session[] {
    return this.#options.hub.sessions(userTopic(appId, userId));
  }

  /** Sessions of the user that are live or about to be, here. */
  liveOf(appId: string, userId: string): number {
    let live = 0;
    for (const session of this.of(appId, userId)) if (session.state !== 'detached') live++;
    return live;
  }

  /** The session to resume: it exists here, and belongs to the same device of the same user of the same app. */
  find(identity: Identity, deviceId: string, sessionId: string): Session | undefined {
    const session = this.#byId.get(sessionId);
    const own = session?.appId === identity.appId && session.userId === identity.userId && session.deviceId === deviceId;
    return own ? session : undefined;
  }

  /** A new session; its keys are heard once this resolves, or it is told to resync when they are. It replaces what the same device left behind. */
  async open(identity: Identity, device: DeviceOf): Promise<Session> {
    // The handshake began before the drain did.
    if (this.#draining) throw new NudgeError('draining', { retryAfterMs: 1_000 });
    const topic = userTopic(identity.appId, identity.userId);
    const session = new Session(randomUUID(), identity, device, topic, this.#options.clock.now());
    this.#byId.set(session.id, session);
    await this.#options.hub.join(topic, session);
    if (session.state !== 'ended') {
      const { clock, relations, relationsWaitMs } = this.#options;
      session.relation = relations.hold(identity.appId, identity.userId);
      if (!session.relation.isLoaded) await settledWithin(clock, relationsWaitMs, session.relation.first);
    }
    return session;
  }

  /** Takes a session out of the resume window, for a connection that is being made. */
  claim(session: Session): void {
    if (session.state !== 'detached') return;
    session.state = 'opening';
    session.connectedAt = this.#options.clock.now();
    this.#detached.delete(session);
    this.#departures.remove(session, session.detachedCheckAt);
  }

  /** The connection that a session was opened or claimed for did not come about. */
  abandon(session: Session, resumed: boolean): void {
    if (session.state !== 'opening') return;
    if (resumed) this.#keep(session);
    else this.end(session);
  }

  /** The session is live from now on; an older connection of it is told and closed. Answers false when the session has ended meanwhile. */
  attach(session: Session, connection: Connection, identity: Identity): boolean {
    const { coalescer, presence, hub, track } = this.#options;
    if (session.state === 'ended') return false;
    this.claim(session);
    const before = session.connection;
    if (before !== undefined) {
      coalescer.detached(session);
      this.#live--;
      before.disconnect('session_replaced');
    }
    for (const other of [...hub.sessions(session.topic)]) {
      if (other !== session && other.state === 'detached' && other.deviceId === session.deviceId) this.end(other);
    }
    this.#live++;
    session.state = 'live';
    session.connection = connection;
    this.#renew(session, identity);
    if (session.watches !== undefined) {
      connection.join(session.topic);
      for (const watched of session.watches.values()) connection.join(watched.topic);
    }
    if (session.customs !== undefined) connection.join(session.id);
    presence.resumed(session);
    coalescer.attached(session);
    if (!session.present) track(presence.arrived(session));
    return true;
  }

  /** The connection is gone. `saidGoodbye`: the client closed it itself, so its user is not waited for. */
  detach(session: Session, connection: Connection, saidGoodbye: boolean): void {
    if (session.connection !== connection) return;
    this.#options.typing.allEnded(session);
    this.#options.coalescer.detached(session);
    this.#live--;
    this.#unschedule(session);
    if (session.state === 'ended') return;
    if (this.#draining) {
      this.end(session);
      return;
    }
    if (saidGoodbye) this.#options.track(this.#options.presence.departed(session));
    this.#keep(session);
  }

  /** The session has a new token of the same user. */
  renew(session: Session, identity: Identity): void {
    if (session.state === 'live') this.#renew(session, identity);
  }

  end(session: Session): void {
    if (session.state === 'ended') return;
    session.state = 'ended';
    this.#byId.delete(session.id);
    this.#detached.delete(session);
    this.#departures.remove(session, session.detachedCheckAt);
    this.#unschedule(session);
    this.#options.watches.unwatch(session, session.watches?.keys() ?? []);
    this.#options.hub.leave(session.topic, session);
    if (session.relation !== undefined) this.#options.relations.release(session.relation);
    this.#options.track(this.#options.presence.departed(session));
  }

  /** Ends the user's sessions, those of one device or a single one where that is named: each is told why, and cannot be resumed. */
  kick(topic: string, { deviceId, sessionId, reason }: { deviceId?: string; sessionId?: string; reason: KickReason }): void {
    for (const session of [...this.#options.hub.sessions(topic)]) {
      const isMeant = (deviceId ?? session.deviceId) === session.deviceId && (sessionId ?? session.id) === session.id;
      if (isMeant) this.#expel(session, reason);
    }
  }

  /** Ends the sessions of the user that a kick means, of more than one those that began before a time (ms). */
  endFor(topic: string, { sessionId, exceptId, deviceId }: Pick<SessionKick, 'sessionId' | 'exceptId' | 'deviceId'>, before: number): void {
    for (const session of [...this.#options.hub.sessions(topic)]) {
      const isOfMany = session.id !== exceptId && (deviceId ?? session.deviceId) === session.deviceId && session.beganAt <= before;
      if (sessionId === null ? isOfMany : session.id === sessionId) this.#expel(session, 'kicked');
    }
  }

  /** Ends the user's sessions whose tokens were issued before `validAfter` (ms). */
  revoke(appId: string, userId: string, validAfter: number): void {
    for (const session of [...this.#options.hub.sessions(userTopic(appId, userId))]) {
      if (session.issuedAt < validAfter) this.#expel(session, 'token_revoked');
    }
  }

  #expel(session: Session, reason: KickReason): void {
    this.#options.typing.allEnded(session);
    if (session.state === 'opening') this.#expelled.set(session, reason);
    session.connection?.disconnect(reason);
    // Its connection is still to be detached.
    this.end(session);
  }

  /** Keys may have been lost: every session is to ask for everything, those connected within `spreadMs`. */
  resyncAll(spreadMs: number): void {
    for (const session of this.#byId.values()) this.#options.coalescer.resync(session, spreadMs);
  }

  /** From now on there are no new sessions, and one ends with its connection. */
  drain(): void {
    this.#draining = true;
    for (const session of [...this.#byId.values()]) if (session.state !== 'live') this.end(session);
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Why a session ended before its connection was made. */
  endOf(session: Session): DisconnectReason {
    return this.#expelled.get(session) ?? (this.#draining ? 'draining' : 'overloaded');
  }

  /** Ends what is left. */
  stop(): void {
    for (const session of [...this.#byId.values()]) this.end(session);
    this.#expiries.clear();
    this.#departures.clear();
  }

  #keep(session: Session): void {
    const { clock, resumeMs, resumable, presenceGraceMs } = this.#options;
    const now = clock.now();
    session.state = 'detached';
    session.resumableUntil = now + resumeMs;
    session.detachedCheckAt = now + (session.present ? Math.min(presenceGraceMs, resumeMs) : resumeMs);
    this.#detached.add(session);
    this.#departures.add(session, session.detachedCheckAt);
    if (this.#detached.size > resumable) {
      const [oldest] = this.#detached;
      if (oldest !== undefined) this.end(oldest);
    }
  }

  #checkDetached(session: Session): void {
    const now = this.#options.clock.now();
    if (session.state !== 'detached' || session.detachedCheckAt > now) return;
    if (session.resumableUntil <= now) {
      this.end(session);
      return;
    }
    this.#options.track(this.#options.presence.departed(session));
    session.detachedCheckAt = session.resumableUntil;
    this.#departures.add(session, session.detachedCheckAt);
  }

  #renew(session: Session, { issuedAt, expiresAt }: Identity): void {
    const now = this.#options.clock.now();
    this.#unschedule(session);
    session.issuedAt = issuedAt;
    session.expiresAt = expiresAt;
    // A token shorter than the warning is announced at half its time.
    this.#scheduleExpiry(session, expiresAt - Math.min(this.#options.tokenWarningMs, (expiresAt - now) / 2));
  }

  #checkExpiry(session: Session): void {
    const { connection, expiresAt, expiryCheckAt } = session;
    if (connection === undefined || expiryCheckAt > this.#options.clock.now()) return;
    if (expiryCheckAt >= expiresAt) {
      connection.disconnect('token_expired');
      return;
    }
    connection.control({
      type: 'token_expiring',
      retryAfterMs: Math.max(0, Math.round(expiresAt - this.#options.clock.now())),
    });
    this.#scheduleExpiry(session, expiresAt);
  }

  #scheduleExpiry(session: Session, at: number): void {
    session.expiryCheckAt = at;
    this.#expiries.add(session, at);
  }

  #unschedule(session: Session): void {
    if (session.expiryCheckAt === 0) return;
    this.#expiries.remove(session, session.expiryCheckAt);
    session.expiryCheckAt = 0;
  }
}
