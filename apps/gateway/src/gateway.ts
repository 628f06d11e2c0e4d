import type { Server as HttpServer } from 'node:http';
import {
  type Admission,
  type AppDirectory,
  type Bus,
  type Clock,
  type Logger,
  type Metrics,
  type OriginPolicy,
  type ReadyCheck,
  type SessionRegistry,
  systemClock,
  type TokenVerifier,
} from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import { type GatewayConfig, gatewayConfig } from './config.ts';
import { GatewayAdmission } from './services/admission.ts';
import { Coalescer } from './services/coalescer.ts';
import { CustomEvents } from './services/custom-events.ts';
import { drainSessions } from './services/drain.ts';
import { Hub } from './services/hub.ts';
import { KeyFrames } from './services/key-frame.ts';
import { Lease } from './services/lease.ts';
import { LoadMeter } from './services/load-meter.ts';
import type { MembershipSource } from './services/membership.ts';
import { createCounts, registerMetrics } from './services/metrics.ts';
import { PresenceService } from './services/presence.ts';
import { Receipts } from './services/receipts.ts';
import { Relations } from './services/relations.ts';
import { Sessions } from './services/sessions.ts';
import { TypingRelay } from './services/typing.ts';
import { Watches } from './services/watches.ts';
import { WorkTracker } from './services/work-tracker.ts';
import { createDispatch } from './socket/dispatch.ts';
import { SocketServer } from './socket/socket-server.ts';

/** What a gateway is composed of. A test swaps a port here. */
export interface GatewayDeps {
  /** What differs from the defaults. */
  readonly config?: Partial<GatewayConfig>;
  readonly limits: Limits;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  /** Membership, blocks and privacy as the primary has them: `createMembershipStore(pool)`. */
  readonly membership: MembershipSource;
  readonly tokens: TokenVerifier;
  readonly directory: Pick<AppDirectory, 'epochOf' | 'isFresh'>;
  readonly admit: Admission;
  readonly origins: OriginPolicy;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface Gateway extends AsyncDisposable {
  readonly gatewayId: string;
  /** Passes while the gateway takes sockets. */
  readonly ready: ReadyCheck;
  /** Takes the upgrade requests of a server. */
  attach(server: HttpServer): void;
  /** Begins to measure, to renew its lease and to watch over memberships. */
  start(): Promise<void>;
}

/**
 * A gateway: holds sockets, pushes keys, relays ephemeral events. Disposing drains it: it turns unready, tells its sockets to move, waits for
 * them and takes its sessions out of the registry. Whoever owns the HTTP server, the bus and the registry disposes of those afterwards.
 */
export function createGateway(deps: GatewayDeps): Gateway {
  const { limits, bus, registry, tokens, directory, admit, log, clock = systemClock } = deps;
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
    frames: new KeyFrames(),
    counts,
    bound: limits.pendingKeys,
  });
  const hub: Hub = new Hub({
    bus,
    coalescer,
    onConversationKey: (topic, logName, seq) => watches.onKey(topic, logName, seq),
    onControl: (topic, message) => watches.onControl(topic, message.memberVersion),
    onReceipt: (topic, message) => receipts.hear(topic, message),
    onUser: (topic) => relations.onUser(topic),
  });
  const watches: Watches = new Watches({
    hub,
    membership: deps.membership,
    clock,
    log,
    perSession: limits.watchedConversations,
    recheckMs: config.recheckMs,
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
  const { origins } = deps;
  const server = new SocketServer({
    clock,
    log,
    limits,
    counts,
    origins,
    heartbeats: config.heartbeats,
    gatewayId,
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
  const sessions = new Sessions({
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
  const admission = new GatewayAdmission({
    clock,
    limits,
    load,
    sessions,
    registry,
    gatewayId,
    tokens,
    directory,
    admit,
  });
  const context = { sessions, watches, relations, typing, customEvents, presence, tokens, admit };
  server.serve({
    admission,
    sessions,
    dispatch: createDispatch({ context, limits, log, now: () => clock.now() }),
  });
  const lease = new Lease({
    registry,
    gatewayId,
    leaseMs: config.leaseMs,
    clock,
    log,
    onLapsed: () => sessions.registerAll(),
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
  let serving = false;
  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    serving = false;
    admission.drain();
    await drainSessions({
      sessions,
      clock,
      spreadMs: config.drainSpreadMs,
      retryAfterMs: config.drainRetryMs,
    });
    await server.stop();
    stopListening();
    sessions.stop();
    coalescer.stop();
    load.stop();
    await Promise.all([watches.stop(), relations.stop()]);
    await work.settled();
    await lease.stop();
  }

  return {
    gatewayId,
    ready: { name: 'gateway', check: () => serving },
    attach: (httpServer) => server.attach(httpServer),
    async start() {
      await lease.start();
      load.start();
      watches.start();
      relations.start();
      serving = true;
    },
    [Symbol.asyncDispose]() {
      stopping ??= stop();
      return stopping;
    },
  };
}
