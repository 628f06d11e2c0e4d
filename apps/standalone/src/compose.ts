import { type ApiConfig, apiConfig, createApi, createApiStores, type FailpointName, killAt, noFailpoints, PgBossJobs } from '@nudge/api';
import { createPool, databaseSource } from '@nudge/db';
import { createGateway, createMembershipStore, type GatewayConfig } from '@nudge/gateway';
import {
  type AppDirectory,
  type Bus,
  type Clock,
  type Config,
  type Logger,
  registerGateway,
  startPlatform,
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
  /** The operations port. */
  readonly opsUrl: string;
  readonly directory: AppDirectory;
  readonly bus: Bus;
}

/** Connections to the database for each of the write side and the pull side. */
const CONNECTIONS = 10;

/** api, sync and gateway in one process on one port, with everything between them in memory. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, connectionString, log, clock = systemClock } = options;
  const { heartbeats } = config;
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

  const platform = stack.use(
    await startPlatform({
      config,
      log,
      clock,
      ...databaseSource(writes, config.limits),
      localhost: true,
      ...(options.bus === undefined ? {} : { bus: options.bus }),
    }),
  );

  // The dispatcher names this server's address, so a free port is chosen before anything is built on it.
  const port = config.port === 0 ? await findFreePort() : config.port;
  const publicUrl = config.publicUrl ?? `${config.tls === undefined ? 'http' : 'https'}://${config.host}:${port}`;
  const failpoints = options.failpoint === undefined ? noFailpoints : killAt(options.failpoint);
  const sync = stack.use(
    createSync({ ...platform, config: syncConfig(options.sync), stores: createSyncStores({ primary: reads, replicas }) }),
  );
  const apiSettings = apiConfig(publicUrl, { heartbeats, ...options.api });
  const jobs = new PgBossJobs({ connectionString, clock, log, pollMs: apiSettings.jobs.pollMs });
  const api = stack.use(createApi({ ...platform, config: apiSettings, stores: createApiStores(writes), jobs, failpoints }));
  const gateway = createGateway({ ...platform, config: { heartbeats, ...options.gateway }, membership: createMembershipStore(reads) });
  const host = stack.use(
    platform.host({
      hot: [...api.hot, ...sync.hot],
      routes: [...api.routes, ...sync.routes],
      extra: [...api.extra, ...(options.pages ?? [])],
      ready: [...api.ready, sync.ready, gateway.ready],
      port,
    }),
  );
  // Last in, first out: sockets are told to move while requests are still answered.
  stack.use(gateway);
  gateway.attach(host.server);
  await Promise.all([api.start(), sync.start(), gateway.start()]);
  const { url, opsUrl } = await host.start();
  const describe = () => ({ id: gateway.gatewayId, url: publicUrl, zone: 'default', ...gateway.state() });
  stack.use(await registerGateway({ directory: platform.gateways, describe, clock, log }));
  const running = stack.move();
  const { directory, bus } = platform;
  return { url, opsUrl, directory, bus, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
