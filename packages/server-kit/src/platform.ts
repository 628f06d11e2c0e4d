import type { IncomingMessage } from 'node:http';
import { type Admission, createAdmission } from './auth/admission.ts';
import { AppDirectory, type DirectoryContent } from './auth/app-directory.ts';
import { type LoadRestrictions, Restrictions } from './auth/restrictions.ts';
import { createServerKeyVerifier } from './auth/server-key.ts';
import { createTokenVerifier, type TokenVerifier } from './auth/token-verifier.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { EpochGuard, type IdentityReading } from './epoch.ts';
import { createClientAddress } from './http/client-address.ts';
import { createHttpHost, type HttpHost, type HttpHostOptions } from './http/http-host.ts';
import { createOriginPolicy, type OriginPolicy } from './http/origin-policy.ts';
import { createPipeline } from './http/pipeline.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createOpsServer, type OpsServer } from './ops/ops-server.ts';
import type { ReadyCheck } from './ops/readiness.ts';
import type { Bus } from './ports/bus.ts';
import type { GatewayDirectory } from './ports/gateway-directory.ts';
import { MemoryBus } from './ports/memory/memory-bus.ts';
import { MemoryGatewayDirectory } from './ports/memory/memory-gateway-directory.ts';
import { MemoryRateLimiter } from './ports/memory/memory-rate-limiter.ts';
import { MemorySessionRegistry } from './ports/memory/memory-session-registry.ts';
import { connectRedis, type RedisConnection } from './ports/redis/connection.ts';
import { RedisBus } from './ports/redis/redis-bus.ts';
import { RedisGatewayDirectory } from './ports/redis/redis-gateway-directory.ts';
import { RedisRateLimiter } from './ports/redis/redis-rate-limiter.ts';
import { RedisSessionRegistry } from './ports/redis/redis-session-registry.ts';
import type { SessionRegistry } from './ports/session-registry.ts';
import { restorableBus } from './restorable-bus.ts';
import { openTls } from './tls/tls.ts';
import { openTracer } from './tracing/open-tracer.ts';
import { tracedBus } from './tracing/traced-bus.ts';
import type { Tracer } from './tracing/tracer.ts';

export interface PlatformOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Reads apps and keys; called at the start and every few seconds. */
  readonly load: () => Promise<DirectoryContent>;
  /** Makes sure that a user who comes with a valid token has a row. */
  readonly ensure: (appId: string, userId: string) => Promise<unknown>;
  /** Reads who was banned or had tokens taken back; called at the start and every few seconds. */
  readonly restrictions: LoadRestrictions;
  /** Which cluster the primary is; asked at the start, every few seconds and when `onConnect` says that a connection was made. */
  readonly identity: () => Promise<IdentityReading>;
  readonly onConnect: (listener: () => void) => void;
  /** Whether pages served by this machine itself may talk to the server. */
  readonly localhost: boolean;
  /** Instead of one in memory; whoever brings it disposes of it. */
  readonly bus?: Bus;
}

/** What every process of the product stands on, whatever it serves. The ports are those on Redis with `REDIS_URL`, else those in memory, unless brought along. */
export interface Platform extends AsyncDisposable {
  readonly limits: Config['limits'];
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly directory: AppDirectory;
  readonly tokens: TokenVerifier;
  /** Tokens taken back and users banned from the app. */
  readonly revocations: Restrictions;
  readonly admit: Admission;
  readonly origins: OriginPolicy;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  /** The connection under the ports, with `REDIS_URL`. It is no condition of readiness: without it the process serves, degraded. */
  readonly redis: RedisConnection | undefined;
  /** Where gateways are known. */
  readonly gateways: GatewayDirectory;
  readonly tracer: Tracer;
  /** Where a request comes from, through the trusted proxies. */
  readonly clientAddress: (req: IncomingMessage) => string;
  /** Why nothing may be served now, for callers; undefined while all is well. */
  readonly refusal: () => string | undefined;
  /** The two listeners of the process, the public one by its own address unless a port is given. Not disposed of with the platform. */
  host(parts: Pick<HttpHostOptions, 'hot' | 'routes' | 'extra' | 'ready' | 'reusePort'> & { readonly port?: number }): ProcessHost;
}

/** The HTTP server for some routes, and beside it the operations port, which opens before it and closes after it. */
export interface ProcessHost extends HttpHost {
  start(): Promise<{ url: string; opsUrl: string }>;
}

/** Builds a platform and reads keys, revocations and the identity of the database once; rejects when they cannot be read. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { config, log, clock = systemClock, load, localhost } = options;
  const { limits } = config;
  await using stack = new AsyncDisposableStack();
  const metrics = stack.use(createMetrics());
  const tls = config.tls === undefined ? undefined : stack.use(await openTls({ files: config.tls, log, metrics, clock }));
  const tracer = stack.use(await openTracer(config.tracing, log));
  // Before the guard is there nothing is held that could be of another epoch.
  let suspect: () => void = () => undefined;
  const directory = stack.use(new AppDirectory({ load, onEpoch: () => suspect(), clock, log }));
  await directory.start();
  const tokenLifetimeMs = limits.tokenLifetimeSeconds * 1_000;
  const revocations = stack.use(new Restrictions({ load: options.restrictions, tokenLifetimeMs, clock, log }));
  await revocations.start();
  const redis = config.redisUrl === undefined ? undefined : stack.use(await connectRedis({ url: config.redisUrl, log, metrics }));
  const shared = redis && { connection: redis, log, metrics };
  const carrier = options.bus ?? stack.use(shared === undefined ? new MemoryBus({ log }) : await RedisBus.open(shared));
  const bus = stack.use(restorableBus(tracedBus(carrier, tracer)));
  const registry = stack.use(shared === undefined ? new MemorySessionRegistry({ clock }) : new RedisSessionRegistry(shared));
  const gateways = stack.use(shared === undefined ? new MemoryGatewayDirectory({ clock }) : new RedisGatewayDirectory(shared));
  const tokens = createTokenVerifier({ directory, revocations, clock, limits });
  const serverKeys = createServerKeyVerifier({ directory });
  let admission = newAdmission(options, revocations);
  const admit: Admission = (identity) => admission(identity);
  const epoch = stack.use(
    new EpochGuard({
      read: options.identity,
      async onSettled() {
        // Twice: a read that was under way may have begun before it was settled.
        await Promise.all([directory.refresh(), revocations.reload()]);
        await directory.refresh();
        admission = newAdmission(options, revocations);
        bus.interrupt();
      },
      clock,
      log,
    }),
  );
  suspect = () => epoch.suspect();
  await epoch.start();
  options.onConnect(() => epoch.recheck());
  const ownChecks: readonly ReadyCheck[] = [
    { name: 'keys', check: () => directory.isFresh() },
    { name: 'revocations', check: () => revocations.isFresh() },
    { name: 'epoch', check: () => epoch.refusal === undefined },
  ];
  const origins = createOriginPolicy({ allowed: config.allowedOrigins, localhost });
  const inProcess = new MemoryRateLimiter({ clock });
  const limiter = redis === undefined ? inProcess : new RedisRateLimiter({ connection: redis, fallback: inProcess });
  const clientAddress = createClientAddress(config.trustProxy);
  const refusal = () => epoch.refusal;
  const pipeline = createPipeline({
    tokens,
    serverKeys,
    limiter,
    limits,
    metrics,
    log,
    directory,
    clock,
    admit,
    tracer,
    clientAddress,
    refusal,
  });
  const opened = stack.move();
  return {
    limits,
    log,
    clock,
    metrics,
    directory,
    tokens,
    revocations,
    admit,
    origins,
    bus,
    registry,
    redis,
    gateways,
    tracer,
    clientAddress,
    refusal,
    host({ port = config.port, ...parts }) {
      const ready = [...ownChecks, ...parts.ready];
      const http = createHttpHost({ ...parts, ready, pipeline, origins, log, limits, tls, port, host: config.host });
      return withOps(http, createOpsServer({ ...config.ops, metrics, readiness: http.readiness, log, clock }));
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** Remembers whose row is there; after the database went back that is to be learnt anew. */
function newAdmission({ ensure }: PlatformOptions, revocations: Restrictions): Admission {
  return createAdmission({ ensure, judge: (identity) => revocations.judge(identity) });
}

function withOps(http: HttpHost, ops: OpsServer): ProcessHost {
  return {
    server: http.server,
    readiness: http.readiness,
    async start() {
      const { url: opsUrl } = await ops.start();
      const { url } = await http.start();
      return { url, opsUrl };
    },
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await ops[Symbol.asyncDispose]();
    },
  };
}
