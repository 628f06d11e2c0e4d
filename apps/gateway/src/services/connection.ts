import type { Control, DisconnectReason, ServerToClientEvents } from '@nudge/types';
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
  /** Says why (`control disconnect`), then closes; a peer that does not take it is cut off after a moment. */
  disconnect(reason: DisconnectReason, retryAfterMs?: number): void;
  join(room: string): void;
  leave(room: string): void;
}

/** Ephemeral events to everyone in a room, on all gateways: dropped for whoever is not writable, stored nowhere. */
export interface Relay {
  emit<Name extends 'typing' | 'presence'>(
    room: string,
    event: Name,
    payload: Parameters<ServerToClientEvents[Name]>[0],
    options?: { readonly exceptRoom?: string },
  ): void;
}
