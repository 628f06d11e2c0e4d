import { createPool, databaseSource } from '@nudge/db';
import { createLogger, startPlatform } from '@nudge/server-kit';
import { createApi } from './api.ts';
import type { ApiProcessConfig } from './config.ts';
import { killAt, noFailpoints } from './services/failpoints.ts';
import { PgBossJobs } from './services/jobs/pg-boss-jobs.ts';
import { createApiStores } from './store/create-stores.ts';

/**
 * An API as a process of its own. Its bus ends at the process: keys reach gateways in the same process only, so beside standalone this
 * serves tests and those who pull without sockets, until a bus between processes is configured.
 */
export async function startApiProcess({ process: config, api: apiSettings, failpoint }: ApiProcessConfig): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ name: 'nudge-api', level: config.logLevel, pretty: config.logFormat === 'pretty' });
  const onError = (error: Error): void => log.warn({ err: error }, 'a database connection failed');
  const primary = createPool({ connectionString: config.databaseUrl, applicationName: 'nudge-api', onError });
  opened.defer(() => primary.end());
  const platform = opened.use(
    await startPlatform({
      config,
      log,
      ...databaseSource(primary, config.limits),
      localhost: false,
    }),
  );
  const failpoints = failpoint === undefined ? noFailpoints : killAt(failpoint);
  const jobs = new PgBossJobs({ connectionString: config.databaseUrl, clock: platform.clock, log, pollMs: apiSettings.jobs.pollMs });
  const api = opened.use(createApi({ ...platform, config: apiSettings, stores: createApiStores(primary), jobs, failpoints }));
  const host = opened.use(platform.host({ hot: api.hot, routes: api.routes, extra: api.extra, ready: api.ready }));
  await api.start();
  const { url, opsUrl } = await host.start();
  log.info({ url, opsUrl }, 'listening');
  return opened.move();
}
