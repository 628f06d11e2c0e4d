import { parseStrictJson } from '@nudge/server-kit';
import type { Peer } from './peer.ts';

/** Packet types of the socket.io protocol, revision 5. */
export const packetTypes = {
  CONNECT: 0,
  DISCONNECT: 1,
  EVENT: 2,
  ACK: 3,
  CONNECT_ERROR: 4,
} as const;

/** A packet as socket.io takes it from its parser. */
export interface Packet {
  readonly type: number;
  readonly nsp: string;
  readonly data?: unknown;
  readonly id?: number;
}

/** Names that mean something to the emitters inside socket.io: as events they would impersonate it. */
const reservedEvents = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener', 'error']);

/** `<type>[<ack id>][<json>]`; the product uses neither namespaces nor binary attachments, so neither is a packet here. */
const packetForm = /^([0-4])(\d{0,15})/;

/**
 * Reads one packet; `undefined` for whatever a client of this product has no reason to send. JSON is held to what HTTP bodies are held to: no
 * key twice, no deeper than `maxDepth`, which counts the list around the event.
 */
export function decodePacket(text: string, maxDepth: number): Packet | undefined {
  const match = packetForm.exec(text);
  if (match === null) return undefined;
  const type = Number(match[1]);
  const id = match[2] === '' ? undefined : Number(match[2]);
  const json = text.slice(match[0].length);
  const data = json === '' ? undefined : parse(json, maxDepth);
  if (json !== '' && data === undefined) return undefined;
  switch (type) {
    case packetTypes.CONNECT:
      return id === undefined && (data === undefined || isObject(data)) ? { type, nsp: '/', data } : undefined;
    case packetTypes.DISCONNECT:
      return id === undefined && data === undefined ? { type, nsp: '/' } : undefined;
    case packetTypes.EVENT: {
      if (!Array.isArray(data) || typeof data[0] !== 'string' || reservedEvents.has(data[0])) return undefined;
      return id === undefined ? { type, nsp: '/', data } : { type, nsp: '/', data, id };
    }
    default:
      // This server asks for no acknowledgement, and CONNECT_ERROR is the server's to send.
      return undefined;
  }
}

/** Writes packets of the one namespace there is. */
export class PacketEncoder {
  encode(packet: Packet): [string] {
    return [`${packet.type}${packet.id ?? ''}${packet.data === undefined ? '' : JSON.stringify(packet.data)}`];
  }
}

/**
 * socket.io's decoder for one connection. socket.io makes one per client without saying for whom, right after the engine announced the
 * connection: `arriving` names it. Frames that are no packets go to the peer, who ends the connection with a code.
 */
export function decoderFor(arriving: () => Peer, maxDepth: number): new () => object {
  return class PacketDecoder {
    readonly #peer = arriving();
    #listener: ((packet: Packet) => void) | undefined;

    on(_event: 'decoded', listener: (packet: Packet) => void): void {
      this.#listener = listener;
    }

    removeListener(): void {
      this.#listener = undefined;
    }

    add(data: unknown): void {
      const packet = typeof data === 'string' ? decodePacket(data, maxDepth) : undefined;
      if (this.#peer.accepts(packet)) this.#listener?.(packet);
    }

    destroy(): void {
      this.#listener = undefined;
    }
  };
}

function parse(json: string, maxDepth: number): unknown {
  try {
    return parseStrictJson(json, maxDepth);
  } catch {
    // Not JSON as the protocol has it: the caller ends the connection.
    return undefined;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
