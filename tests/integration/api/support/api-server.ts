import { randomBytes } from 'node:crypto';
import { type Api, type ApiConfig, type ApiStores, apiConfig, createApi, createApiStores, type Failpoints, PgBossJobs } from '@nudge/api';
import { createPool, ensureUser, loadDirectory, restrictions } from '@nudge/db';
import {
  AppDirectory,
  type AppKey,
  type Bus,
  type Clock,
  createAdmission,
  createHttpHost,
  createLogger,
  createMetrics,
  createOriginPolicy,
  createPipeline,
  createServerKeyVerifier,
  createTokenVerifier,
  type Logger,
  MemoryBus,
  MemoryGatewayDirectory,
  MemoryRateLimiter,
  MemorySessionRegistry,
  mintToken,
  newServerKey,
  type RateLimiter,
  Restrictions,
  type SessionRegistry,
  systemClock,
} from '@nudge/server-kit';
import { defaultLimits, type Limits } from '@nudge/types';
import type { TestDatabase } from '../../../support/database.ts';

/** An answer over HTTP, its body parsed. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** Calls the API as somebody: a user, a server key, nobody. */
export type Caller = (method: string, path: string, body?: unknown) => Promise<ApiAnswer>;

export interface TestApp {
  readonly id: string;
  readonly signingKey: AppKey;
  readonly serverKey: string;
}

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  readonly api: Api;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  readonly stores: ApiStores;
  as(app: TestApp, userId: string): Caller;
  asServer(app: TestApp, key?: string): Caller;
  readonly call: Caller;
}

export interface ApiServerOptions {
  readonly limits?: Partial<Limits>;
  readonly config?: Partial<ApiConfig>;
  readonly failpoints?: Failpoints;
  readonly bus?: Bus;
  /** Of the API alone: its jobs and what else keeps time beside it go by the machine's. */
  readonly clock?: Clock;
  readonly limiter?: RateLimiter;
  readonly log?: Logger;
  /** Another way to the same database, through a proxy. */
  readonly connectionString?: string;
  /** Wraps the stores, to watch or to delay what reaches the database. */
  readonly stores?: (stores: ApiStores) => ApiStores;
}

/** An app with a signing key and a server key, written straight to the database. */
export async function createTestApp(
  database: TestDatabase,
  id: string,
  users: readonly string[] = [],
  scopes: readonly string[] = ['*'],
): Promise<TestApp> {
  const secret = randomBytes(32).toString('hex');
  const server = newServerKey(`${id}.server`);
  await database.query('insert into app (id, name) values ($1, $1)', [id]);
  await database.query(`insert into app_key (app_id, kid, kind, secret) values ($1, $2, 'hs256', $3)`, [id, `${id}.1`, secret]);
  await database.query(`insert into app_key (app_id, kid, kind, secret_hash, scopes) values ($1, $2, 'server', $3, $4)`, [
    id,
    server.kid,
    server.secretHash,
    scopes,
  ]);
  await database.query('insert into chat_user (app_id, id) select $1, unnest($2::text[])', [id, users]);
  return {
    id,
    signingKey: { appId: id, kid: `${id}.1`, kind: 'hs256', secret, scopes: [], retiredAt: null },
    serverKey: server.key,
  };
}

/** An API on a port of its own. Create the apps before: their keys are read at the start. */
export async function startApiServer(database: TestDatabase, options: ApiServerOptions = {}): Promise<ApiServer> {
  const limits: Limits = {
    ...defaultLimits,
    writesPer10Seconds: 1_000_000,
    marksPer10Seconds: 1_000_000,
    readsPer10Seconds: 1_000_000,
    ...options.limits,
  };
  const log = options.log ?? createLogger({ name: 'api-test', level: process.env.TEST_LOG === 'debug' ? 'debug' : 'fatal' });
  const pool = createPool({
    connectionString: options.connectionString ?? database.connectionString,
    applicationName: 'nudge-test-api',
    max: 12,
  });
  const bus = options.bus ?? new MemoryBus();
  const metrics = createMetrics();
  const directory = new AppDirectory({ load: () => loadDirectory(pool), log });
  await directory.start();
  const lifetime = limits.tokenLifetimeSeconds;
  const revocations = new Restrictions({ load: (since) => restrictions(pool, since, lifetime), tokenLifetimeMs: lifetime * 1_000, log });
  await revocations.start();
  const plain = createApiStores(pool);
  const stores = options.stores?.(plain) ?? plain;
  const config = apiConfig('http://chat.example', options.config);
  const registry = new MemorySessionRegistry();
  const gateways = new MemoryGatewayDirectory();
  const connectionString = options.connectionString ?? database.connectionString;
  const api = createApi({
    config,
    limits,
    stores,
    bus,
    registry,
    revocations,
    gateways,
    jobs: new PgBossJobs({ connectionString, clock: systemClock, log, pollMs: config.jobs.pollMs }),
    directory,
    metrics,
    log,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.failpoints === undefined ? {} : { failpoints: options.failpoints }),
  });
  const pipeline = createPipeline({
    tokens: createTokenVerifier({ directory, revocations, limits }),
    serverKeys: createServerKeyVerifier({ directory }),
    limiter: options.limiter ?? new MemoryRateLimiter(),
    limits,
    metrics,
    log,
    directory,
    admit: createAdmission({
      ensure: (appId, userId) => ensureUser(pool, appId, userId),
      judge: (identity) => revocations.judge(identity),
    }),
  });
  const host = createHttpHost({
    pipeline,
    hot: api.hot,
    routes: api.routes,
    extra: api.extra,
    origins: createOriginPolicy({ allowed: [], localhost: false }),
    ready: api.ready,
    log,
    limits,
    port: 0,
    host: '127.0.0.1',
  });
  await api.start();
  const { url } = await host.start();
  return {
    url,
    api,
    bus,
    registry,
    stores,
    call: caller(url, undefined),
    as: (app, userId) => caller(url, mintToken({ key: app.signingKey, userId, ttlSeconds: 3600 }).token),
    asServer: (app, key) => caller(url, key ?? app.serverKey),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
      await revocations[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      await pool.end();
      metrics[Symbol.dispose]();
    },
  };
}

function caller(url: string, credential: string | undefined): Caller {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    };
  };
}
