import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateJobs, readFailpoint, readSweeperConfig } from '@nudge/api';
import { describeProgress, migrate } from '@nudge/db';
import type { Config, Environment, Logger } from '@nudge/server-kit';
import { startServer } from './compose.ts';
import { banner } from './demo/banner.ts';
import { type DemoSession, writeDemoSession } from './demo/demo-session.ts';
import { openDemo } from './demo/open-demo.ts';
import { prepareDemoApp } from './demo/seed-demo.ts';
import { readPageFiles } from './page/browser-modules.ts';
import { pageRouter } from './page/page-router.ts';
import { startEmbeddedPostgres } from './postgres/index.ts';

/** The running standalone server. */
export interface Standalone extends AsyncDisposable {
  readonly session: DemoSession;
}

export interface StandaloneOptions {
  readonly config: Config;
  readonly log: Logger;
  /** `SWEEPER_…`, and what only tests set. */
  readonly environment?: Environment;
  /** Where the banner goes. */
  readonly print: (text: string) => void;
}

/** The newcomer's default: its own PostgreSQL, migrated, the three apps on one port, a demo ready to try. */
export async function startStandalone({ config, log, environment = {}, print }: StandaloneOptions): Promise<Standalone> {
  await using stack = new AsyncDisposableStack();
  if (config.databaseUrl === undefined) print('Starting PostgreSQL …\n');
  const postgres = config.databaseUrl === undefined ? stack.use(await startEmbeddedPostgres({ dataDir: config.dataDir, log })) : undefined;
  const connectionString = postgres?.socketConnectionString ?? postgres?.connectionString ?? config.databaseUrl ?? '';
  // Whoever finds the file may use what it names: it is there only while that runs.
  const sessionFile = join(config.dataDir, 'demo.json');
  await rm(sessionFile, { force: true });
  await migrate(connectionString, { onProgress: (progress) => log.info({ migration: describeProgress(progress) }, 'migrating') });
  await migrateJobs(connectionString);
  const serverKey = await prepareDemoApp(connectionString);

  let session: DemoSession | undefined;
  const current = () => {
    if (session === undefined) throw new Error('the demo is not ready');
    return session;
  };
  const server = stack.use(
    await startServer({
      config,
      connectionString,
      log,
      api: { sweeper: readSweeperConfig(environment) },
      failpoint: readFailpoint(environment),
      pages: [pageRouter(await readPageFiles(), current)],
    }),
  );
  const { url, opsUrl } = server;
  const demo = await openDemo(url, serverKey);
  // A certificate is made out to the public name.
  session = { ...demo, url: (config.tls && config.publicUrl) ?? url, opsUrl };
  print(banner(session, await writeDemoSession(config.dataDir, session)));
  stack.defer(() => rm(sessionFile, { force: true }));
  const running = stack.move();
  return { session, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
