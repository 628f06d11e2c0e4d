import type { Duplex } from 'node:stream';
import type { KeyFrame } from '../services/key-frame.ts';
import type { Peer } from './peer.ts';

/**
 * What the gateway uses of engine.io 6.6, socket.io 4.8 and ws 8 beyond their published types, in one place. `engine-internals.test.ts`
 * fails when an update takes any of it away.
 */
export interface EngineConnection {
  readyState: 'opening' | 'open' | 'closing' | 'closed';
  /** The engine that holds it: the one of its heartbeat profile. */
  readonly server: unknown;
  /** The upgrade request: some kilobytes per socket that nobody needs any more. */
  request: unknown;
  /** Packets that wait for the transport. */
  readonly writeBuffer: readonly unknown[];
  readonly transport: EngineTransport;
  /** Who is behind it. */
  peer: Peer | undefined;
  write(data: string): void;
  close(discard?: boolean): void;
  on(event: 'packet', listener: (this: EngineConnection, packet: { readonly type: string }) => void): this;
  on(event: 'close', listener: (this: EngineConnection, reason: string) => void): this;
}

export interface EngineTransport {
  /** Whether the last packet has left the process. */
  readonly writable: boolean;
  readonly socket: WebSocketPeer;
  send(packets: KeyFrame | readonly [{ readonly type: 'message'; readonly data: string }]): void;
  once(event: 'ready', listener: () => void): this;
  removeAllListeners(event: 'headers'): this;
}

export interface WebSocketPeer {
  readonly bufferedAmount: number;
  readonly _socket: Duplex;
  terminate(): void;
  pong(data: Buffer): void;
  on(event: 'ping', listener: (this: WebSocketPeer, data: Buffer) => void): this;
}

/** The engine.io connection under a socket.io socket, or as the engine hands it out. */
export const connectionOf = (conn: unknown): EngineConnection => conn as EngineConnection;
