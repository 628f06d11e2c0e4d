import type { Control, DisconnectReason, Presence, ServerToClientEvents } from '@nudge/types';
import type { KeyFrame } from './key-frame.ts';

/** A socket as the services see it. Everything is at most once; nothing throws when the peer is gone. */
export interface Connection {
  /** Whether all that was written has left the process: nothing of ours waits in memory. */
  readonly writable: boolean;
  /** Writes a frame of keys; only when `writable`. */
  sendKeys(frame: KeyFrame): void;
  /** Calls `listener` once the connection is writable again; at most one listener waits. */
  onceWritable(listener: () => void): void;
  control(control: Control): void;
  /** How a watched user is, told to this socket only. */
  presence(presence: Presence): void;
  /** Says why (`control disconnect`), then closes; a peer that does not take it is cut off after a moment. */
  disconnect(reason: DisconnectReason, retryAfterMs?: number, target?: string): void;
  join(room: string): void;
  leave(room: string): void;
}

export interface RelayOptions {
  /** Who is in one of these rooms does not hear, on any gateway. */
  readonly except?: readonly string[];
  /** Only the sockets of this gateway: the others have heard of it themselves. */
  readonly local?: true;
}

/**
 * Ephemeral events to everyone in a room, on all gateways: encoded once, dropped for whoever is not writable, stored nowhere.
 */
export interface Relay {
  emit<Name extends 'typing' | 'event' | 'receipt' | 'presence'>(
    room: string,
    event: Name,
    payload: Parameters<ServerToClientEvents[Name]>[0],
    options?: RelayOptions,
  ): void;
}
