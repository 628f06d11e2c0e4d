import type { Socket } from 'socket.io';
import type { EngineConnection } from './engine-internals.ts';

/** Ephemeral frames that may wait for one connection: two events in one turn both arrive, and one that reads nothing costs a few kilobytes. */
const WAITING_FRAMES = 8;

/** What stands between a socket.io socket and its engine; its members are not in the published types. */
interface SocketClient {
  readonly conn: EngineConnection & { write(data: unknown, options: object): void };
  writeToEngine(this: SocketClient, packets: unknown, options: { readonly volatile?: boolean }): void;
}

/**
 * socket.io drops a volatile packet whenever the one before has not left the process, which is always so within one turn of the event
 * loop. This drops it once `WAITING_FRAMES` wait. One function for all connections, so that it costs them a reference.
 */
function writeToEngine(this: SocketClient, packets: unknown, options: { readonly volatile?: boolean }): void {
  const { conn } = this;
  if (options.volatile === true && (conn.readyState !== 'open' || conn.writeBuffer.length >= WAITING_FRAMES)) return;
  for (const packet of Array.isArray(packets) ? packets : [packets]) conn.write(packet, options);
}

/** Lets a few ephemeral frames wait for the socket, instead of none. */
export function allowWaitingFrames(socket: Socket): void {
  (socket.client as unknown as SocketClient).writeToEngine = writeToEngine;
}
