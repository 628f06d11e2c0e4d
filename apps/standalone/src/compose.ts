import { type ApiConfig, apiConfig, createApi, createApiStores, type FailpointName, killAt } from '@nudge/api';
import { createPool, ensureUser, loadApps, loadKeys } from '@nudge/db';
import { createGateway, createMembershipStore, type GatewayConfig } from '@nudge/gateway';
import {
  AppDirectory,
  type Bus,
  type Clock,
  type Config,
  createAdmission,
  createHttpHost,
  createMetrics,
  createOriginPolicy,
  createPipeline,
  createServerKeyVerifier,
  createTokenVerifier,
  type Logger,
  MemoryBus,
  MemoryRateLimiter,
  MemorySessionRegistry,
  systemClock,
} from '@nudge/server-kit';
import { createSync, createSyncStores, type SyncConfig, syncConfig } from '@nudge/sync';
import type { Router } from 'express';
import { findFreePort } from './postgres/index.ts';

/** What a composed server is made of; a test swaps a port or shortens a time here. */
export interface ServerOptions {
  readonly config: Config;
  readonly connectionString: string;
  readonly log: Logger;
  readonly bus?: Bus;
  readonly clock?: Clock;
  readonly api?: Partial<ApiConfig>;
  readonly gateway?: Partial<GatewayConfig>;
  readonly sync?: Partial<SyncConfig>;
  readonly failpoint?: FailpointName | undefined;
  /** Pages beside the API's. */
  readonly pages?: readonly Router[];
}

/** The running composition. Disposing drains it: sockets are told to move, requests in flight are answered, keys published. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly directory: AppDirectory;
  readonly bus: Bus;
}

/** Connections to the database for each of the write side and the pull side. */
const CONNECTIONS = 10;

/** api, sync and gateway in one process on one port, with everything between them in memory. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, connectionString, log, clock = systemClock } = options;
  const { limits } = config;
  await using stack = new AsyncDisposableStack();
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection failed');
  const pool = (name: string) => {
    const made = createPool({ connectionString, max: CONNECTIONS, applicationName: `nudge-${name}`, onError });
    stack.defer(() => made.end());
    return made;
  };
  const writes = pool('api');
  const reads = pool('sync');
  const replicas = config.databaseReplicaUrls.map((url) => {
    const made = createPool({ connectionString: url, max: CONNECTIONS, applicationName: 'nudge-sync', onError });
    stack.defer(() => made.end());
    return made;
  });

  const metrics = stack.use(createMetrics());
  const directory = stack.use(
    new AppDirectory({ load: async () => ({ apps: await loadApps(writes), keys: await loadKeys(writes) }), clock, log }),
  );
  await directory.start();
  const bus = options.bus ?? stack.use(new MemoryBus({ log }));
  const registry = stack.use(new MemorySessionRegistry({ clock }));
  const tokens = createTokenVerifier({ directory, clock, limits });
  const admit = createAdmission({ ensure: (appId, userId) => ensureUser(writes, appId, userId) });
  const origins = createOriginPolicy({ allowed: config.allowedOrigins, localhost: true });
  const pipeline = createPipeline({
    tokens,
    serverKeys: createServerKeyVerifier({ directory }),
    limiter: new MemoryRateLimiter({ clock }),
    limits,
    metrics,
    log,
    directory,
    clock,
    admit,
    trustProxy: config.trustProxy,
  });

  // The dispatcher names this server's address, so a free port is chosen before anything is built on it.
  const port = config.port === 0 ? await findFreePort() : config.port;
  const publicUrl = config.publicUrl ?? `http://${config.host}:${port}`;
  const api = createApi({
    config: apiConfig(publicUrl, options.api),
    limits,
    stores: createApiStores(writes),
    bus,
    directory,
    metrics,
    log,
    clock,
    ...(options.failpoint === undefined ? {} : { failpoints: killAt(options.failpoint) }),
  });
  const sync = createSync({
    config: syncConfig(options.sync),
    limits,
    stores: createSyncStores({ primary: reads, replicas }),
    bus,
    directory,
    metrics,
    log,
    clock,
  });
  stack.use(sync);
  stack.use(api);
  const gateway = createGateway({
    config: options.gateway ?? {},
    limits,
    bus,
    registry,
    membership: createMembershipStore(reads),
    tokens,
    directory,
    admit,
    origins,
    metrics,
    log,
    clock,
  });
  const host = stack.use(
    createHttpHost({
      pipeline,
      hot: [...api.hot, ...sync.hot],
      routes: [...api.routes, ...sync.routes],
      origins,
      ops: { metrics, ready: [api.ready, sync.ready, gateway.ready] },
      extra: [...api.extra, ...(options.pages ?? [])],
      log,
      limits,
      port,
      host: config.host,
    }),
  );
  // Last in, first out: sockets are told to move while requests are still answered.
  stack.use(gateway);
  gateway.attach(host.server);
  await Promise.all([api.start(), sync.start(), gateway.start()]);
  const { url } = await host.start();
  const running = stack.move();
  return { url, directory, bus, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
