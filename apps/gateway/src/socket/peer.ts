import { type Control, type DisconnectReason, disconnectRegistry, type HandshakeRefusal, type Presence, type Welcome } from '@nudge/types';
import type { Socket } from 'socket.io';
import type { Admitted } from '../services/admission.ts';
import type { Connection } from '../services/connection.ts';
import type { GatewayCounts } from '../services/counts.ts';
import type { KeyFrame } from '../services/key-frame.ts';
import { RateWindow } from '../services/rate-window.ts';
import type { Session } from '../services/session.ts';
import type { EngineConnection } from './engine-internals.ts';
import { type Packet, packetTypes } from './packet-codec.ts';

/** What all peers of a gateway share. */
export interface PeerEnvironment {
  readonly now: () => number;
  readonly counts: GatewayCounts;
  /** Frames per ten seconds that end a connection. */
  readonly floodFrames: number;
  /** Closes a connection, by force if it does not go by itself. */
  readonly close: (conn: EngineConnection) => void;
}

/** Acknowledgements that may wait for a client that does not read. */
const maxUnreadPackets = 16;

/** One connection, from its upgrade to its end: guards what comes in, and is the {@link Connection} of its session. */
export class Peer implements Connection {
  readonly #conn: EngineConnection;
  readonly #environment: PeerEnvironment;
  readonly #frames = new RateWindow();
  #socket: Socket | undefined;
  #connectSeen = false;
  #ending = false;
  /** Where it comes from, as the handshake's share is counted. */
  readonly address: string;
  /** Set by the handshake, until the connection is made. */
  admitted: Admitted | undefined = undefined;
  session: Session | undefined = undefined;
  /** Whether the client closed the connection by itself. */
  saidGoodbye = false;

  constructor(conn: EngineConnection, address: string, environment: PeerEnvironment) {
    this.#conn = conn;
    this.address = address;
    this.#environment = environment;
  }

  /** Whether nothing more is to be done for it. */
  get isEnding(): boolean {
    return this.#ending || this.#conn.readyState !== 'open';
  }

  /** The handshake is complete; `socket` carries the events. */
  connected(socket: Socket, session: Session): void {
    this.#socket = socket;
    this.session = session;
  }

  /** The first word to a client, in the same write as socket.io's CONNECT: past the engine, which waits for that one to leave. */
  welcome(welcome: Welcome): void {
    const { transport } = this.#conn;
    transport.send([{ type: 'message', data: `${packetTypes.EVENT}${JSON.stringify(['welcome', welcome])}` }]);
    transport.socket._socket.uncork();
  }

  /** A packet of the engine came: its count, the proof of life, and packets that are none. */
  onEnginePacket(type: string): void {
    if (this.#frames.count(this.#environment.now()) > this.#environment.floodFrames) {
      this.disconnect('too_many_events', 10_000);
    } else if (type === 'pong') {
      this.session?.box.confirm();
    } else if (type !== 'message') {
      // Pings and noops are the server's to send; there is nothing to open, to upgrade or to close but the WebSocket itself.
      this.disconnect('protocol_error');
    }
  }

  /** Whether the packet is passed on. A client that breaks the protocol is told so and cut off. */
  accepts(packet: Packet | undefined): packet is Packet {
    if (this.isEnding) return false;
    if (packet?.type === packetTypes.CONNECT ? this.#connectSeen : this.#socket === undefined || packet === undefined) {
      this.disconnect('protocol_error');
      return false;
    }
    if (packet?.type === packetTypes.CONNECT) this.#connectSeen = true;
    if (packet?.type === packetTypes.DISCONNECT) {
      this.saidGoodbye = true;
      this.end();
      return false;
    }
    return true;
  }

  /** Whether it does not read what it asks for: packets wait, and not just for the end of this turn. */
  get isClogged(): boolean {
    return this.#conn.writeBuffer.length > maxUnreadPackets && this.#conn.transport.socket.bufferedAmount > 0;
  }

  get writable(): boolean {
    const conn = this.#conn;
    return conn.transport.writable && conn.writeBuffer.length === 0 && conn.readyState === 'open';
  }

  sendKeys(frame: KeyFrame): void {
    this.#conn.transport.send(frame);
  }

  onceWritable(listener: () => void): void {
    this.#conn.transport.once('ready', () => {
      if (this.writable) listener();
      else if (!this.isEnding) this.onceWritable(listener);
    });
  }

  control(control: Control): void {
    this.#socket?.emit('control', control);
  }

  presence(presence: Presence): void {
    this.#socket?.emit('presence', presence);
  }

  disconnect(reason: DisconnectReason, retryAfterMs?: number, target?: string): void {
    if (this.isEnding) return;
    this.#environment.counts.countDisconnected(reason);
    if (this.#socket !== undefined) {
      this.control({
        type: 'disconnect',
        code: disconnectRegistry[reason],
        reason,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(target === undefined ? {} : { target }),
      });
      // By this a socket.io-client with its default settings knows that it was sent away, and does not come back by itself.
      this.#conn.write(`${packetTypes.DISCONNECT}`);
    } else {
      // Not connected yet: the refusal of the handshake is the only thing the protocol lets a server say.
      const data: HandshakeRefusal = {
        code: reason === 'too_many_events' ? 'rate_limited' : 'invalid_request',
        retryable: reason === 'too_many_events',
      };
      this.#conn.write(`${packetTypes.CONNECT_ERROR}${JSON.stringify({ message: reason, data })}`);
    }
    this.end();
  }

  /** Closes without a word. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#environment.close(this.#conn);
  }

  join(room: string): void {
    void this.#socket?.join(room);
  }

  leave(room: string): void {
    void this.#socket?.leave(room);
  }
}
