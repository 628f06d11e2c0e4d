import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateJobs } from '@nudge/api';
import { describeProgress, migrate } from '@nudge/db';
import type { Config, Environment, ProcessEvent } from '@nudge/server-kit';
import { type DemoSession, writeDemoSession } from '../demo/demo-session.ts';
import { openDemo } from '../demo/open-demo.ts';
import { prepareDemoApp } from '../demo/seed-demo.ts';
import { type EmbeddedPostgres, type PostgresLog, type Standby, startEmbeddedPostgres, startStandby } from '../postgres/index.ts';
import { redisServerBinary } from '../redis/redis-binary.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.ts';
import { portsFrom } from './ports.ts';
import { type Processes, startProcesses } from './processes.ts';
import { type Row, table, tell } from './report.ts';

/** Six processes with pools of ten and the connections of their jobs. */
const CONNECTIONS = '200';
/** Where PostgreSQL and Redis look for ports: away from those of the apps. */
const STORES_ABOVE = 1_000;

export interface ClusterOptions {
  readonly config: Config;
  /** Passed on to every process. */
  readonly environment: Environment;
  /** Where everything that people read goes, in whole lines. */
  readonly print: (text: string) => void;
}

/** The running cluster. Disposing ends it in order: gateways, which move their sockets, the other apps, Redis, the standby, the primary. */
export interface Cluster extends AsyncDisposable {
  readonly session: DemoSession;
  readonly processes: Processes;
  /** What runs where, now. */
  table(): string;
}

/** Two gateways, two APIs and two pull sides on a PostgreSQL with a standby and on Redis: all real, all on this machine. */
export async function startCluster({ config, environment, print }: ClusterOptions): Promise<Cluster> {
  const { dataDir, port, host } = config;
  const line = (name: string, text: string) => print(`${`[${name}]`.padEnd(12)} ${text}\n`);
  const onEvent = (name: string, event: ProcessEvent) => {
    const said = tell(name, event);
    if (said !== undefined) line('cluster', said);
  };
  await using stack = new AsyncDisposableStack();
  // Whoever finds the file may use what it names: it is there only while that runs.
  const sessionFile = join(dataDir, 'demo.json');
  await rm(sessionFile, { force: true });
  const nextPort = portsFrom(port + STORES_ABOVE);

  // First, because it is the one thing that may be missing.
  await redisServerBinary({ onInstall: (notice) => line('cluster', notice) });

  line('cluster', 'starting PostgreSQL, primary and standby');
  const postgres = stack.use(
    await startEmbeddedPostgres({
      dataDir,
      log: logTo((text) => line('postgres', text)),
      port: await nextPort(),
      settings: { max_connections: CONNECTIONS },
    }),
  );
  await migrate(postgres.connectionString, { onProgress: (progress) => line('cluster', describeProgress(progress)) });
  await migrateJobs(postgres.connectionString);
  const serverKey = await prepareDemoApp(postgres.connectionString);
  const standby = stack.use(
    await startStandby({
      primary: postgres,
      clusterDir: join(dataDir, 'standby'),
      slot: 'nudge_standby',
      port: await nextPort(),
      log: logTo((text) => line('standby', text)),
    }),
  );

  line('cluster', 'starting Redis');
  const redis = stack.use(
    await startRedisServer({ port: await nextPort(), onLine: (text) => line('redis', text), onEvent: (event) => onEvent('redis', event) }),
  );

  line('cluster', 'starting the apps');
  const processes = stack.use(
    await startProcesses({
      databaseUrl: postgres.connectionString,
      replicaUrls: [standby.through(postgres.connectionString)],
      redisUrl: redis.url,
      host,
      port,
      env: environment,
      onLine: line,
      onEvent,
    }),
  );
  const demo = await openDemo(processes.url, serverKey);
  const opsUrl = processes.of('api')[0]?.opsUrl ?? '';
  const session: DemoSession = { ...demo, opsUrl, gateways: 'dispatcher' };
  await writeDemoSession(dataDir, session);
  stack.defer(() => rm(sessionFile, { force: true }));
  const running = stack.move();
  return {
    session,
    processes,
    table: () => table(rowsOf(postgres, standby, redis, processes)),
    async [Symbol.asyncDispose]() {
      line('cluster', 'stopping: gateways first, then the others');
      await running[Symbol.asyncDispose]();
      line('cluster', 'stopped');
    },
  };
}

function rowsOf(postgres: EmbeddedPostgres, standby: Standby, redis: RedisServer, processes: Processes): Row[] {
  const apps = processes.apps.map((app) => ({
    name: app.name,
    pid: app.process.pid,
    port: app.port,
    ops: app.opsUrl,
    state: app.process.state,
  }));
  return [
    ...apps,
    { name: 'postgres', pid: postgres.pid, port: postgres.port, ops: undefined, state: 'primary' },
    { name: 'standby', pid: standby.pid, port: standby.port, ops: undefined, state: 'streaming' },
    { name: 'redis', pid: redis.process.pid, port: Number(new URL(redis.url).port), ops: undefined, state: redis.process.state },
    { name: 'front door', pid: process.pid, port: Number(new URL(processes.url).port), ops: undefined, state: 'serving' },
  ];
}

function logTo(write: (text: string) => void): PostgresLog {
  const at = (_fields: object, message: string) => write(message);
  return { debug: () => undefined, info: at, warn: at, error: at };
}
