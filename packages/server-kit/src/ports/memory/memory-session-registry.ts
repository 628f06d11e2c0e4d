import type { Presence } from '@nudge/types';
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../../clock.ts';
import type { SessionRecord, SessionRegistry } from '../session-registry.ts';

/** The sessions of a single process. `lastSeenAt` is remembered for the users seen last, up to a bound. */
export class MemorySessionRegistry implements SessionRegistry {
  readonly #clock: Clock;
  /** Gateway -> when its lease ends, ms. */
  readonly #leases = new Map<string, number>();
  readonly #sessions = new Map<string, Map<string, SessionRecord>>();
  readonly #lastSeen: LRUCache<string, number>;
  readonly #lost = new Set<(gatewayId: string) => void>();

  constructor(options: { readonly clock?: Clock; readonly usersRemembered?: number } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#lastSeen = new LRUCache({ max: options.usersRemembered ?? 100_000 });
  }

  async renewLease(gatewayId: string, ttlMs: number): Promise<void> {
    const end = this.#leases.get(gatewayId);
    const now = this.#clock.now();
    const lapsed = end !== undefined && end <= now;
    if (lapsed && this.#lost.size > 0) this.#forget(gatewayId, end);
    this.#leases.set(gatewayId, now + ttlMs);
    if (lapsed) for (const listener of this.#lost) listener(gatewayId);
  }

  onLost(listener: (gatewayId: string) => void): () => void {
    const own = (gatewayId: string) => listener(gatewayId);
    this.#lost.add(own);
    return () => void this.#lost.delete(own);
  }

  async dropLease(gatewayId: string): Promise<void> {
    this.#leases.delete(gatewayId);
    this.#forget(gatewayId, this.#clock.now());
  }

  async put(record: SessionRecord): Promise<void> {
    const user = key(record.appId, record.userId);
    const present = this.#sessions.get(user);
    if (present === undefined) this.#sessions.set(user, new Map([[record.sessionId, record]]));
    else present.set(record.sessionId, record);
    if (record.hidden) this.#lastSeen.delete(user);
  }

  async remove(appId: string, userId: string, sessionId: string): Promise<{ lastSeenAt: number }> {
    const user = key(appId, userId);
    const sessions = this.#sessions.get(user);
    const lastSeenAt = this.#clock.now();
    const hidden = isHidden(sessions?.values() ?? []);
    if (!sessions?.delete(sessionId)) return { lastSeenAt };
    if (sessions.size === 0) this.#sessions.delete(user);
    if (!hidden) this.#lastSeen.set(user, lastSeenAt);
    return { lastSeenAt };
  }

  async sessionsOf(appId: string, userId: string): Promise<SessionRecord[]> {
    return this.#live(key(appId, userId)).sort((a, b) => a.connectedAt - b.connectedAt);
  }

  async presenceOf(appId: string, userIds: readonly string[], viewerId?: string): Promise<Presence[]> {
    return userIds.map((userId) => this.#presence(appId, userId, userId === viewerId));
  }

  async forgetLastSeen(appId: string, userId: string): Promise<void> {
    this.#lastSeen.delete(key(appId, userId));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leases.clear();
    this.#sessions.clear();
    this.#lastSeen.clear();
    this.#lost.clear();
  }

  /** Removes the records of a gateway, whose users were last seen at `end`. */
  #forget(gatewayId: string, end: number): void {
    for (const [user, sessions] of this.#sessions) {
      const hidden = isHidden(sessions.values());
      for (const record of sessions.values()) {
        if (record.gatewayId !== gatewayId) continue;
        sessions.delete(record.sessionId);
        if (!hidden) this.#lastSeen.set(user, end);
      }
      if (sessions.size === 0) this.#sessions.delete(user);
    }
  }

  #presence(appId: string, userId: string, toItself: boolean): Presence {
    const user = key(appId, userId);
    const live = this.#live(user);
    if (!toItself && isHidden(live)) return { userId, status: 'offline' };
    if (live.some((record) => record.status === 'online')) return { userId, status: 'online' };
    if (live.some((record) => record.status === 'away')) return { userId, status: 'away' };
    const lastSeenAt = this.#lastSeen.get(user);
    return {
      userId,
      status: 'offline',
      ...(lastSeenAt === undefined ? {} : { lastSeenAt: new Date(lastSeenAt).toISOString() }),
    };
  }

  /** Records whose gateway lives; the others are forgotten, the end of their gateway's lease being when their user was last seen. */
  #live(user: string): SessionRecord[] {
    const sessions = this.#sessions.get(user);
    if (sessions === undefined) return [];
    const now = this.#clock.now();
    const live: SessionRecord[] = [];
    const hidden = isHidden(sessions.values());
    for (const record of sessions.values()) {
      const leaseEnd = this.#leases.get(record.gatewayId);
      if (leaseEnd !== undefined && leaseEnd > now) {
        live.push(record);
      } else {
        sessions.delete(record.sessionId);
        if (leaseEnd !== undefined && !hidden) this.#lastSeen.set(user, Math.max(leaseEnd, this.#lastSeen.get(user) ?? 0));
      }
    }
    if (sessions.size === 0) this.#sessions.delete(user);
    return live;
  }
}

function isHidden(records: Iterable<SessionRecord>): boolean {
  for (const record of records) if (record.hidden) return true;
  return false;
}

const key = (appId: string, userId: string): string => `${appId}/${userId}`;
