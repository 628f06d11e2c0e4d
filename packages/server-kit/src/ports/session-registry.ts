import type { Presence, PresenceStatus } from '@nudge/types';

/** One live session: a device of a user on a gateway. Times in ms since 1970. */
export interface SessionRecord {
  readonly appId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly sessionId: string;
  readonly gatewayId: string;
  /** What its handshake says; absent where it says nothing. */
  readonly platform?: string;
  readonly status: PresenceStatus;
  readonly connectedAt: number;
  /** Its user shows its presence to nobody. */
  readonly hidden: boolean;
}

/**
 * Which device of which user is on which gateway. A record counts only while its gateway's lease is alive, so a crash cleans up by
 * expiry. A gateway whose records were lost puts its sessions again.
 */
export interface SessionRegistry extends AsyncDisposable {
  /** The gateway lives for `ttlMs` from now. */
  renewLease(gatewayId: string, ttlMs: number): Promise<void>;
  /**
   * Told when the records of a gateway whose lease is renewed here are gone or may be wrong, the lease having ended or the registry having
   * lost its data: put its sessions again. What was put before does not count from then on. The result removes the listener.
   */
  onLost(listener: (gatewayId: string) => void): () => void;
  /** The gateway is gone, and its records with it. */
  dropLease(gatewayId: string): Promise<void>;
  /** Adds the session or replaces what is known of it. One that is hidden makes the registry forget when its user was last seen. */
  put(record: SessionRecord): Promise<void>;
  /** Removes the session; answers when the user was last seen (now), ms since 1970. That is not remembered of a user who is hidden. */
  remove(appId: string, userId: string, sessionId: string): Promise<{ lastSeenAt: number }>;
  /** The live sessions of a user, oldest first. */
  sessionsOf(appId: string, userId: string): Promise<SessionRecord[]>;
  /**
   * One item per user, in the order asked: online if any live session is, else away if any is, else offline with `lastSeenAt` when known.
   * A user of whom any live session is hidden is offline without `lastSeenAt` to everybody but `viewerId`, the user itself.
   */
  presenceOf(appId: string, userIds: readonly string[], viewerId?: string): Promise<Presence[]>;
  /** Forgets when a user was last seen: one who hides while no session of it is there. */
  forgetLastSeen(appId: string, userId: string): Promise<void>;
}
