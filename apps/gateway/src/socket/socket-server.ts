import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, type Logger, NudgeError, type OriginPolicy, toNudgeError } from '@nudge/server-kit';
import {
  DEFAULT_NETWORK,
  type HandshakeRefusal,
  type Heartbeat,
  type Heartbeats,
  type Limits,
  type Network,
  SOCKET_PATH,
} from '@nudge/types';
import { Server as Engine } from 'engine.io';
import { Server, type Socket } from 'socket.io';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { GatewayAdmission } from '../services/admission.ts';
import type { Relay } from '../services/connection.ts';
import type { GatewayCounts } from '../services/counts.ts';
import type { Sessions } from '../services/sessions.ts';
import { Closer } from './closer.ts';
import { connectionOf, type EngineConnection, type WebSocketPeer } from './engine-internals.ts';
import { decoderFor, PacketEncoder } from './packet-codec.ts';
import { Peer } from './peer.ts';
import { roomAdapter } from './room-adapter.ts';
import type { RoomWire } from './room-wire.ts';
import { judgeUpgrade, refuseUpgrade } from './upgrade.ts';
import { allowWaitingFrames } from './volatile-write.ts';

/** Times in ms. */
export interface SocketServerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Limits;
  readonly counts: GatewayCounts;
  readonly origins: OriginPolicy;
  readonly heartbeats: Heartbeats;
  readonly gatewayId: string;
  /** Where a request comes from. */
  readonly clientAddress: (request: IncomingMessage) => string;
  /** Carries the rooms over all gateways; without one they end at this process. */
  readonly wire: RoomWire | undefined;
  /** How long a client may take to send its CONNECT. */
  readonly connectTimeoutMs: number;
}

/** What the sockets bring their events to. */
export interface SocketApp {
  readonly admission: GatewayAdmission;
  readonly sessions: Sessions;
  readonly dispatch: (peer: Peer, name: string, args: readonly unknown[]) => void;
}

/** How many times the events allowed make a flood. */
const floodFactor = 4;

/**
 * socket.io over engine.io over ws, WebSocket only, with what the product does not use taken out: polling, compression, binary packets,
 * namespaces, the room of its own that every socket gets, and the upgrade request that every socket keeps.
 */
export class SocketServer {
  readonly relay: Relay;
  readonly #options: SocketServerOptions;
  readonly #io: Server;
  /** One per heartbeat profile: engine.io takes its intervals per server. */
  readonly #engines: { readonly [Name in Network]: Engine };
  readonly #heartbeats = new Map<unknown, Heartbeat>();
  readonly #closer: Closer;
  readonly #servers = new Set<HttpServer>();
  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head);
  #arriving: Peer | undefined;
  #app: SocketApp | undefined;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.#closer = new Closer(options.clock);
    this.#io = new Server({
      path: SOCKET_PATH,
      serveClient: false,
      connectTimeout: options.connectTimeoutMs,
      ...(options.wire === undefined ? {} : { adapter: roomAdapter(options.wire, options.log) }),
      parser: {
        Encoder: PacketEncoder,
        Decoder: decoderFor(() => this.#takeArriving(), options.limits.jsonDepth),
      },
    });
    const { wifi, mobile, background } = options.heartbeats;
    this.#engines = { wifi: this.#engineFor(wifi), mobile: this.#engineFor(mobile), background: this.#engineFor(background) };
    this.#io.use((socket, next) => void this.#handshake(socket, next));
    this.#io.on('connection', (socket) => this.#connected(socket));
    this.relay = {
      emit: (room, event, payload, { except = [], local } = {}) => {
        const everyone = this.#io.to(room).volatile;
        const near = local ? everyone.local : everyone;
        const target = except.length === 0 ? near : near.except([...except]);
        target.emit(event, payload);
      },
    };
  }

  /** Connections open, those without a session included. */
  get size(): number {
    let size = 0;
    for (const engine of Object.values(this.#engines)) size += engine.clientsCount;
    return size;
  }

  /** Says what the sockets bring their events to; once, before the first request. */
  serve(app: SocketApp): void {
    this.#app = app;
  }

  attach(server: HttpServer): void {
    this.#servers.add(server);
    server.on('upgrade', this.#onUpgrade);
  }

  /** Takes no further upgrade and cuts off whoever is left. */
  async stop(): Promise<void> {
    for (const server of this.#servers) server.off('upgrade', this.#onUpgrade);
    await this.#io.close();
    // socket.io closes only the engine it was bound to last.
    for (const engine of Object.values(this.#engines)) engine.close();
    this.#options.wire?.[Symbol.dispose]();
    this.#closer.stop();
  }

  /** Never attached to a server: that would answer other upgrades too, each with a timer of its own. */
  #engineFor(heartbeat: Heartbeat): Engine {
    const engine = new Engine({
      transports: ['websocket'],
      allowUpgrades: false,
      perMessageDeflate: false,
      httpCompression: false,
      maxHttpBufferSize: this.#options.limits.socketFrameBytes,
      pingInterval: heartbeat.intervalMs,
      pingTimeout: heartbeat.timeoutMs,
      wsEngine: HardenedWebSocketServer,
    });
    this.#heartbeats.set(engine, heartbeat);
    // Before socket.io hears of the connection: its decoder is made for the peer announced here.
    engine.on('connection', (conn: unknown) => this.#arrived(connectionOf(conn)));
    this.#io.bind(engine);
    return engine;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const app = this.#app;
    const judged =
      app === undefined
        ? new NudgeError('overloaded', { retryAfterMs: 1_000 })
        : judgeUpgrade(request, {
            origins: this.#options.origins,
            refuse: () => app.admission.refuseUpgrade(this.size, this.#options.clientAddress(request)),
          });
    if (typeof judged !== 'string') {
      this.#options.counts.countRefused(`http_${judged.status}`);
      refuseUpgrade(socket, judged);
      return;
    }
    // The answer to the upgrade and engine.io's first packet leave as one: a write costs more than what it carries.
    socket.cork();
    this.#engines[judged].handleUpgrade(request as Parameters<Engine['handleUpgrade']>[0], socket, head);
  }

  #arrived(conn: EngineConnection): void {
    const { clock, counts, limits } = this.#options;
    const peer = new Peer(conn, this.#options.clientAddress(conn.request as IncomingMessage), {
      now: () => clock.now(),
      counts,
      floodFrames: floodFactor * limits.socketEventsPer10Seconds,
      close: (closing) => this.#closer.close(closing),
    });
    conn.peer = peer;
    conn.request = undefined;
    conn.transport.removeAllListeners('headers');
    conn.transport.socket.on('ping', onPing);
    conn.on('packet', onPacket);
    conn.on('close', this.#onClose);
    this.#arriving = peer;
    conn.transport.socket._socket.uncork();
  }

  #takeArriving(): Peer {
    const peer = this.#arriving;
    if (peer === undefined) throw new Error('socket.io made a decoder without a connection');
    this.#arriving = undefined;
    return peer;
  }

  async #handshake(socket: Socket, next: (error?: Error) => void): Promise<void> {
    const peer = connectionOf(socket.conn).peer;
    const app = this.#app;
    if (peer === undefined || app === undefined) return;
    const auth: unknown = socket.handshake.auth;
    trim(socket);
    try {
      const admitted = await app.admission.judge(auth, peer.address);
      if (peer.isEnding) {
        app.sessions.abandon(admitted.session, admitted.resumed);
        return;
      }
      peer.admitted = admitted;
      // socket.io's CONNECT and the welcome leave as one; `#connected` lets them go.
      connectionOf(socket.conn).transport.socket._socket.cork();
      next();
    } catch (error) {
      next(this.#refusal(error));
      // socket.io writes the refusal in the next tick.
      setImmediate(() => peer.end());
    }
  }

  #refusal(error: unknown): Error {
    const failure = toNudgeError(error);
    const { code, retryable, retryAfterMs } = failure;
    this.#options.counts.countRefused(code);
    if (code === 'internal') this.#options.log.error({ err: error }, 'a handshake failed');
    const data: HandshakeRefusal = {
      code,
      retryable,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
    };
    return Object.assign(new Error(code), { data });
  }

  #connected(socket: Socket): void {
    const { gatewayId, heartbeats, clock, counts } = this.#options;
    const { peer, server } = connectionOf(socket.conn);
    const app = this.#app;
    const admitted = peer?.admitted;
    if (peer === undefined || app === undefined || admitted === undefined) {
      socket.disconnect(true);
      return;
    }
    const { session, identity, resumed, epoch } = admitted;
    peer.admitted = undefined;
    peer.connected(socket, session);
    socket.onAny(this.#onAny);
    allowWaitingFrames(socket);
    if (session.state === 'ended') {
      connectionOf(socket.conn).transport.socket._socket.uncork();
      // Forgotten, drained or kicked between the handshake and here.
      peer.disconnect(app.sessions.endOf(session), 1_000);
      return;
    }
    const heartbeat = this.#heartbeats.get(server) ?? heartbeats[DEFAULT_NETWORK];
    counts.welcomed++;
    if (resumed) counts.resumed++;
    peer.welcome({ sessionId: session.id, gatewayId, resumed, epoch, heartbeat, serverTime: new Date(clock.now()).toISOString() });
    app.sessions.attach(session, peer, identity);
  }

  /** One listener for all connections; `this` is the connection. */
  readonly #onClose = closeListener((peer) => {
    const { admitted, session } = peer;
    const app = this.#app;
    if (app === undefined) return;
    if (session !== undefined) app.sessions.detach(session, peer, peer.saidGoodbye);
    else if (admitted !== undefined) app.sessions.abandon(admitted.session, admitted.resumed);
  });

  /** One listener for all sockets; `this` is the socket. */
  readonly #onAny = anyListener((peer, name, args) => this.#app?.dispatch(peer, name, args));
}

function closeListener(onClose: (peer: Peer) => void): (this: EngineConnection) => void {
  return function (this: EngineConnection) {
    const { peer } = this;
    this.peer = undefined;
    if (peer !== undefined) onClose(peer);
  };
}

function anyListener(
  onEvent: (peer: Peer, name: string, args: readonly unknown[]) => void,
): (this: Socket, name: string, ...args: unknown[]) => void {
  return function (this: Socket, name: string, ...args: unknown[]) {
    const { peer } = connectionOf(this.conn);
    if (peer !== undefined) onEvent(peer, name, args);
  };
}

function onPacket(this: EngineConnection, packet: { readonly type: string }): void {
  this.peer?.onEnginePacket(packet.type);
}

/** A ping of the WebSocket protocol (no client of ours sends any): answered only while the answers are taken. */
function onPing(this: WebSocketPeer, data: Buffer): void {
  if (this.bufferedAmount < 1_024) this.pong(data);
}

const nothing = Object.freeze({});

/** Takes from a socket what it keeps of its handshake (headers, the token), and the room of its own that nobody addresses. */
function trim(socket: Socket): void {
  const lean = socket as { handshake: unknown; join: Socket['join'] };
  lean.handshake = nothing;
  lean.join = joinUnlessOwn;
}

function joinUnlessOwn(this: Socket, rooms: string | string[]): Promise<void> | void {
  if (rooms !== this.id) return (Object.getPrototypeOf(this) as Socket).join.call(this, rooms);
}

/** ws with bounds for a peer that sends crumbs, pings without reading the answers, or never closes. */
class HardenedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({
      ...options,
      autoPong: false,
      maxFragments: 64,
      maxBufferedChunks: 1_024,
      closeTimeout: 500,
    } as ServerOptions);
  }
}
