import { type AppProcess, type ProcessesOptions, type Role, startProcesses } from '@nudge/standalone/cluster';
import { wideLimits } from '../../races/support/limits.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { inheritedEnvironment } from '../../support/process.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { seedApp, type TestApp } from '../../support/seed.ts';
import { createTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';

/** The whole product as processes on real PostgreSQL and Redis. Disposing ends everything, and fails when connections are leaked. */
export interface Stack extends AsyncDisposable {
  /** The front door: everything is reached by it. */
  readonly url: string;
  readonly database: TestDatabase;
  readonly app: TestApp;
  /** Another tenant, of which nobody of the first may see anything. */
  readonly otherApp: TestApp;
  /** A server of one's own with a bad network before it; absent where another Redis was named. */
  readonly redis: RedisServer;
  readonly network: TcpProxy;
  of(role: Role): readonly AppProcess[];
  /** Ends of processes that nobody had asked for, in order, as `gateway-1 SIGKILL`. */
  readonly ends: readonly string[];
  /** The last lines of every process, for whoever looks into a failure. */
  readonly lines: readonly string[];
  /** `kill -9`; resolves when the process serves again, as another one. */
  killAndWait(app: AppProcess): Promise<void>;
  /** Value of a metric of a process, the sum over its labels; 0 while it has none. */
  metric(app: AppProcess, name: string): Promise<number>;
}

export type StackOptions = Pick<ProcessesOptions, 'count' | 'env' | 'envOf' | 'replicaUrls'> & {
  readonly database?: TestDatabase;
  /** Users with a row. */
  readonly users?: readonly string[];
};

/** Bounds that no fault of these tests is about, on machines that have other things to do. */
const bounds = {
  ...wideLimits,
  LIMIT_HANDSHAKES_PER_SECOND: '100000',
  LIMIT_HANDSHAKES_PER_ADDRESS_PER_10_SECONDS: '1000000',
  LIMIT_SESSIONS_PER_USER: '1000',
  LIMIT_ADMIN_PER_10_SECONDS: '1000000',
} as const;

const keptLines = 3_000;
let firstPort = 17_000 + (process.pid % 100) * 100;

/** With Redis behind a proxy. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const network = stack.use(await createTcpProxy({ port: redis.port }));
  const opened = stack.move();
  return startStackOn(`redis://127.0.0.1:${network.port}`, { redis, network, dispose: () => opened.disposeAsync() }, options);
}

/** On a Redis that the test has made; `redis` and `network` are not to be used. */
export function startStackOnRedis(url: string, options: StackOptions = {}): Promise<Omit<Stack, 'redis' | 'network'>> {
  return startStackOn(url, undefined, options);
}

async function startStackOn(
  redisUrl: string,
  owned: { redis: RedisServer; network: TcpProxy; dispose: () => PromiseLike<void> } | undefined,
  { database: given, users = [], env, ...options }: StackOptions,
): Promise<Stack> {
  await using stack = new AsyncDisposableStack();
  if (owned !== undefined) stack.defer(owned.dispose);
  const database = given ?? stack.use(await createTestDatabase());
  const app = await seedApp(database, 'one', { users });
  const otherApp = await seedApp(database, 'elsewhere');
  const ends: string[] = [];
  const lines: string[] = [];
  firstPort += 40;
  const processes = stack.use(
    await startProcesses({
      ...options,
      databaseUrl: database.connectionString,
      redisUrl,
      port: firstPort,
      env: {
        ...inheritedEnvironment(),
        NODE_ENV: 'test',
        ...bounds,
        SWEEPER_INTERVAL_MS: '300',
        SWEEPER_AGE_MS: '1000',
        ...env,
      },
      onLine: (name, line) => {
        lines.push(`${name} ${line}`);
        if (lines.length > keptLines) lines.shift();
      },
      onEvent: (name, event) => {
        if (event.type === 'ended') ends.push(`${name} ${event.end.signal ?? event.end.code}`);
      },
    }),
  );
  const running = stack.move();
  const { redis, network } = owned ?? {};
  return {
    url: processes.url,
    database,
    app,
    otherApp,
    get redis() {
      return redis ?? missing();
    },
    get network() {
      return network ?? missing();
    },
    of: processes.of,
    ends,
    lines,
    async killAndWait(killed) {
      const { starts, pid } = killed.process;
      process.kill(pid, 'SIGKILL');
      await waitFor(`${killed.name} to be back`, () => killed.process.starts > starts && killed.process.state === 'serving', {
        timeoutMs: 60_000,
      });
    },
    async metric({ opsUrl }, name) {
      const text = await (await fetch(`${opsUrl}/metrics`)).text();
      const values = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function missing(): never {
  throw new Error('this stack has no Redis of its own');
}
