import type { Identity } from '@nudge/server-kit';
import type { PresenceStatus } from '@nudge/types';
import type { Receiver } from './coalescer.ts';
import type { Connection } from './connection.ts';
import { KeyBox } from './key-box.ts';
import type { RateWindow } from './rate-window.ts';
import type { Relation } from './relations.ts';
import type { WatchedConversation } from './watched-conversation.ts';

/**
 * opening: admitted, not connected yet. live: has a connection. detached: kept for a resume. ended: gone, whoever still holds it lets go.
 */
export type SessionState = 'opening' | 'live' | 'detached' | 'ended';

/** What a handshake says of its device. */
export interface DeviceOf {
  readonly deviceId: string;
  readonly platform: string | undefined;
}

/** One device of a user on this gateway. Ten thousands of these idle in memory: what few sessions need is absent until needed. */
export class Session implements Receiver {
  readonly id: string;
  readonly appId: string;
  readonly userId: string;
  readonly deviceId: string;
  /** What its first handshake said; a resume changes nothing of it. */
  readonly platform: string | undefined;
  /** Topic of its user; also the room that holds the user's watching sockets. */
  readonly topic: string;
  readonly box = new KeyBox();
  state: SessionState = 'opening';
  connection: Connection | undefined = undefined;
  heardAt = 0;
  dueAt = Number.POSITIVE_INFINITY;
  blocked = false;
  /** When its token ends, ms. */
  expiresAt: number;
  /** When its token was issued, ms. */
  issuedAt: number;
  /** When expiry is looked at next, ms; 0 while it is not scheduled. */
  expiryCheckAt = 0;
  /** When a detached session is looked at next (offline, then forgotten), ms. */
  detachedCheckAt = 0;
  /** When a detached session is forgotten, ms. */
  resumableUntil = 0;
  status: Exclude<PresenceStatus, 'offline'> = 'online';
  /** Whether the registry has it and those who watch its user were told. */
  present = false;
  /** Whether the registry has it although nobody was told: a rule for the user's sessions counts it before it is connected. */
  enrolled = false;
  /** When it was let in first, ms. */
  readonly beganAt: number;
  /** When it was let in last, ms. The order in which a user's sessions came. */
  connectedAt: number;
  /** What stands between its user and others; there while the user's topic is heard. */
  relation: Relation | undefined = undefined;
  watches: Map<string, WatchedConversation> | undefined = undefined;
  /** Users whose presence it watches. */
  watchedUsers: readonly string[] | undefined = undefined;
  /** Conversation -> until when its last `typing` holds, ms. */
  typing: Map<string, number> | undefined = undefined;
  events: RateWindow | undefined = undefined;
  typings: RateWindow | undefined = undefined;
  /** Of its own events; once there, its socket is in a room of its own (named by the session's id), to be left out. */
  customs: RateWindow | undefined = undefined;

  constructor(id: string, identity: Identity, device: DeviceOf, topic: string, connectedAt: number) {
    this.id = id;
    this.appId = identity.appId;
    this.userId = identity.userId;
    this.deviceId = device.deviceId;
    this.platform = device.platform;
    this.topic = topic;
    this.expiresAt = identity.expiresAt;
    this.issuedAt = identity.issuedAt;
    this.beganAt = connectedAt;
    this.connectedAt = connectedAt;
  }
}
