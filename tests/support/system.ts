import { type Config, createLogger, type Logger, readConfig } from '@nudge/server-kit';
import { type Server, type ServerOptions, startServer } from '@nudge/standalone';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { seedApp, type TestApp } from './seed.ts';

/** A whole Nudge in this process, on a database of its own, reached over real HTTP and real sockets. */
export interface System extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly database: TestDatabase;
  readonly server: Server;
  /** Two tenants; tests of one use the first. */
  readonly app: TestApp;
  readonly otherApp: TestApp;
}

export interface SystemOptions {
  /** What the environment says: `LIMIT_…`, `ALLOWED_ORIGINS` and so on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: Logger;
  /** An existing database, shared with another system. */
  readonly database?: TestDatabase;
  readonly apps?: readonly [TestApp, TestApp];
  readonly compose?: Partial<Pick<ServerOptions, 'bus' | 'clock' | 'api' | 'gateway' | 'sync' | 'config'>>;
}

/** Starts a system on a free port. Disposing stops it and drops the database it made, failing when connections were leaked. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const database = options.database ?? stack.use(await createTestDatabase());
  const [app, otherApp] = options.apps ?? [await seedApp(database, 'one'), await seedApp(database, 'two')];
  // The machine is shared by test processes: a time in which this one stood still is no load, and no reason to hide a user whose relations are late.
  const config: Config = readConfig({ PORT: '0', LIMIT_EVENT_LOOP_DELAY_MS: '60000', ...options.env });
  const gateway = { relationsWaitMs: 30_000, ...options.compose?.gateway };
  const log = options.log ?? createLogger({ name: 'test', level: 'silent' });
  const server = stack.use(await startServer({ config, connectionString: database.connectionString, log, ...options.compose, gateway }));
  const running = stack.move();
  const port = Number(new URL(server.url).port);
  return { url: server.url, port, database, server, app, otherApp, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
