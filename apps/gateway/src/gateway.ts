import type { Server as HttpServer, IncomingMessage } from 'node:http';
import {
  type Admission,
  type AppDirectory,
  type Bus,
  type Clock,
  createClientAddress,
  type GatewayDescription,
  type Logger,
  type Metrics,
  noRevocations,
  type OriginPolicy,
  type ReadyCheck,
  RedisBus,
  type RedisConnection,
  type Revocations,
  type SessionRegistry,
  systemClock,
  type TokenVerifier,
  type Tracer,
  toNudgeError,
  userTopic,
} from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import { type GatewayConfig, gatewayConfig } from './config.ts';
import { GatewayAdmission } from './services/admission.ts';
import { Coalescer } from './services/coalescer.ts';
import { CustomEvents } from './services/custom-events.ts';
import { drainSessions } from './services/drain.ts';
import { Hub } from './services/hub.ts';
import { KeyFrames } from './services/key-frame.ts';
import { KickPoll, type LoadKicks } from './services/kick-poll.ts';
import { Lease } from './services/lease.ts';
import { LoadMeter } from './services/load-meter.ts';
import type { MembershipSource, UserOf } from './services/membership.ts';
import { createCounts, registerMetrics } from './services/metrics.ts';
import { PresenceService } from './services/presence.ts';
import { Receipts } from './services/receipts.ts';
import { Registration } from './services/registration.ts';
import { Relations } from './services/relations.ts';
import { isConversationRoom, isRelayedRoom } from './services/rooms.ts';
import { SessionRule } from './services/session-rule.ts';
import { Sessions } from './services/sessions.ts';
import { TypingRelay } from './services/typing.ts';
import { Watches } from './services/watches.ts';
import { WorkTracker } from './services/work-tracker.ts';
import { createDispatch } from './socket/dispatch.ts';
import { isRoomPacket } from './socket/room-packet.ts';
import { RoomWire } from './socket/room-wire.ts';
import { SocketServer } from './socket/socket-server.ts';

/** What a gateway is composed of. A test swaps a port here. */
export interface GatewayDeps {
  /** What differs from the defaults. */
  readonly config?: Partial<GatewayConfig>;
  readonly limits: Limits;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  /** Carries ephemeral events between gateways, and nothing else. Absent: one over `redis`; without that they end at this gateway. */
  readonly ephemeral?: Bus;
  readonly redis?: RedisConnection | undefined;
  /** Tokens taken back; none where absent. */
  readonly revocations?: Revocations;
  /** Called once, when the gateway begins to drain: whoever sends devices here is to stop that. Waited for a second at most. */
  readonly onDraining?: () => void | Promise<void>;
  /** Address of the gateway that a user is to move to from here, if one is known. Does not throw. Absent: there is no other gateway. */
  readonly pickTarget?: (user: UserOf) => string | undefined;
  /** Membership, blocks and privacy as the primary has them: `createMembershipStore(pool)`. */
  readonly membership: MembershipSource;
  /** Ends of sessions as the primary has them: `createKickStore(pool)`. Absent: the bus alone tells of them. */
  readonly kicks?: LoadKicks;
  readonly tokens: TokenVerifier;
  readonly directory: Pick<AppDirectory, 'epochOf' | 'isFresh' | 'sessionPolicyOf'>;
  readonly admit: Admission;
  /** Why nothing may be served now; undefined while all is well. Absent: there is no such time. */
  readonly refusal?: () => string | undefined;
  /** Where a request comes from; the other end of its connection by default. */
  readonly clientAddress?: (request: IncomingMessage) => string;
  readonly origins: OriginPolicy;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly tracer?: Tracer;
}

/** `load` from 0 (idle) to 1 (takes no more). */
export type GatewayState = Pick<GatewayDescription, 'load' | 'sockets' | 'draining'>;

export interface Gateway extends AsyncDisposable {
  readonly gatewayId: string;
  /** What the dispatcher is told of it. */
  state(): GatewayState;
  /** Passes while the gateway takes sockets. */
  readonly ready: ReadyCheck;
  /** Takes the upgrade requests of a server. */
  attach(server: HttpServer): void;
  /** Begins to measure, to renew its lease and to watch over memberships. */
  start(): Promise<void>;
}

const ephemeralBus = { maxWaiting: 5_000, maxUnsent: 0 } as const;

/**
 * A gateway: holds sockets, pushes keys, relays ephemeral events. Disposing drains it: it turns unready, tells its sockets to move, waits for
 * them and takes its sessions out of the registry. Whoever owns the HTTP server, the bus and the registry disposes of those afterwards.
 */
export function createGateway(deps: GatewayDeps): Gateway {
  const { limits, bus, registry, tokens, directory, admit, log, clock = systemClock, revocations = noRevocations } = deps;
  const config = gatewayConfig(deps.config);
  const { gatewayId } = config;
  const counts = createCounts(deps.metrics);
  const work = new WorkTracker();

  const load: LoadMeter = new LoadMeter({
    clock,
    gap: config.gap,
    waiting: () => coalescer.backlog,
  });
  const coalescer: Coalescer = new Coalescer({
    clock,
    load,
    frames: deps.tracer?.enabled ? new KeyFrames(deps.tracer.recall.bind(deps.tracer)) : new KeyFrames(),
    counts,
    bound: limits.pendingKeys,
  });
  const hub: Hub = new Hub({
    bus,
    clock,
    coalescer,
    resyncSpreadMs: config.resyncSpreadMs,
    onLate(topic) {
      watches.onLate(topic);
      relations.onUser(topic);
    },
    onConversationKey: (topic, logName, seq) => watches.onKey(topic, logName, seq),
    onControl: (topic, message) => watches.onControl(topic, message.memberVersion),
    onReceipt: (topic, message) => receipts.hear(topic, message),
    onUser: (topic) => relations.onUser(topic),
    onKick: (topic, message) => sessions.kick(topic, message),
  });
  const watches: Watches = new Watches({
    hub,
    membership: deps.membership,
    clock,
    log,
    perSession: limits.watchedConversations,
    // So that what the bus did not tell of holds within the whole of it, the time that a comparison takes included.
    recheckMs: config.recheckMs / 2,
    staleMs: config.staleMs,
    onDropped: (session, watched) => typing.ended(session, watched),
  });
  const relations: Relations = new Relations({
    source: deps.membership,
    clock,
    log,
    recheckMs: config.recheckMs,
    staleMs: config.staleMs,
    inUse: ({ topic }) => hub.sessions(topic).some((session) => (session.watches ?? session.watchedUsers) !== undefined),
    onChange: (relation, change) => work.track(presence.changed(relation, change)),
  });
  const { origins, redis } = deps;
  // Ephemeral events have connections of their own, so that keys never wait behind them, and are not kept for when Redis is back.
  const ownEphemeral =
    deps.ephemeral === undefined && redis
      ? new RedisBus({ connection: redis, log, prefix: `${redis.prefix}rooms:`, ...ephemeralBus })
      : undefined;
  const ephemeral = deps.ephemeral ?? ownEphemeral;
  const wire =
    ephemeral &&
    new RoomWire({
      bus: ephemeral,
      clock,
      log,
      counts,
      isRelayed: isRelayedRoom,
      isPacket: isRoomPacket,
      // What another gateway emits passes here only while this one knows who may hear it.
      accepts: (room) => (isConversationRoom(room) ? watches.reliable(room) !== undefined : relations.isReliable),
    });
  const server = new SocketServer({
    clock,
    log,
    limits,
    counts,
    origins,
    heartbeats: config.heartbeats,
    gatewayId,
    clientAddress: deps.clientAddress ?? createClientAddress([]),
    wire,
    connectTimeoutMs: config.connectTimeoutMs,
  });
  const { relay } = server;
  const typing: TypingRelay = new TypingRelay({
    relay,
    watches,
    relations,
    clock,
    counts,
    per10Seconds: limits.typingPer10Seconds,
  });
  const customEvents = new CustomEvents({
    relay,
    watches,
    relations,
    clock,
    counts,
    per10Seconds: limits.customEventsPer10Seconds,
  });
  const receipts = new Receipts({ relay, hub, watches, relations, counts });
  const presence: PresenceService = new PresenceService({
    registry,
    relay,
    hub,
    gatewayId,
    log,
  });
  const sessions: Sessions = new Sessions({
    clock,
    hub,
    coalescer,
    watches,
    typing,
    presence,
    relations,
    relationsWaitMs: config.relationsWaitMs,
    resumeMs: config.resumeMs,
    resumable: config.resumableSessions,
    presenceGraceMs: config.presenceGraceMs,
    tokenWarningMs: config.tokenWarningMs,
    track: work.track,
  });
  const rule = new SessionRule({ clock, limits, directory, registry, sessions, presence, bus, gatewayId, log });
  const refusal = deps.refusal ?? (() => undefined);
  const admission = new GatewayAdmission({ clock, limits, load, sessions, rule, tokens, directory, revocations, admit, refusal });
  const context = { sessions, watches, relations, typing, customEvents, presence, tokens, revocations, admit };
  server.serve({
    admission,
    sessions,
    dispatch: createDispatch({ context, limits, log, now: () => clock.now() }),
  });
  const registration = new Registration({ sessions, presence, clock, spreadMs: config.resyncSpreadMs });
  const kicks =
    deps.kicks &&
    new KickPoll({
      load: deps.kicks,
      clock,
      log,
      everyMs: config.kickPollMs,
      onKick: (kick, before) => sessions.endFor(userTopic(kick.appId, kick.userId), kick, before),
    });
  const lease = new Lease({
    registry,
    gatewayId,
    leaseMs: config.leaseMs,
    clock,
    log,
    onLost: () => registration.lost(),
  });
  registerMetrics(deps.metrics, {
    counts,
    sessions,
    hub,
    watches,
    relations,
    load,
    sockets: () => server.size,
  });

  const stopListening = bus.onInterruption(() => {
    sessions.resyncAll(config.resyncSpreadMs);
    watches.recheckAll();
    relations.recheckAll();
  });
  const stopRevoking = revocations.onChange((appId, userId, validAfter) => sessions.revoke(appId, userId, validAfter));
  let serving = false;
  let stopping: Promise<void> | undefined;
  async function announceDrain(): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const cancel = clock.after(1_000, waited.resolve);
    try {
      await Promise.race([deps.onDraining?.(), waited.promise]);
    } catch (error) {
      log.warn({ err: error, code: toNudgeError(error).code }, 'the drain of this gateway could not be announced');
    } finally {
      cancel();
    }
  }
  async function stop(): Promise<void> {
    serving = false;
    admission.drain();
    await announceDrain();
    await drainSessions({
      sessions,
      clock,
      perSecond: config.drainPerSecond,
      spreadMs: config.drainSpreadMs,
      retryAfterMs: config.drainRetryMs,
      deadlineMs: config.drainDeadlineMs,
      pickTarget: deps.pickTarget,
    });
    await server.stop();
    stopListening();
    stopRevoking();
    await Promise.all([registration.stop(), kicks?.stop()]);
    sessions.stop();
    hub.stop();
    coalescer.stop();
    load.stop();
    await Promise.all([watches.stop(), relations.stop()]);
    await work.settled();
    await lease.stop();
    await ownEphemeral?.[Symbol.asyncDispose]();
  }

  return {
    gatewayId,
    state() {
      const sockets = sessions.activeCount;
      const busy = Math.max(sockets / limits.gatewaySockets, load.delayMs / limits.eventLoopDelayMs);
      return { load: Math.min(1, busy), sockets, draining: sessions.isDraining || stopping !== undefined };
    },
    ready: { name: 'gateway', check: () => serving },
    attach: (httpServer) => server.attach(httpServer),
    async start() {
      await lease.start();
      load.start();
      watches.start();
      relations.start();
      await kicks?.start();
      serving = true;
    },
    [Symbol.asyncDispose]() {
      stopping ??= stop();
      return stopping;
    },
  };
}
