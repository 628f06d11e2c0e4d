import { createPool } from '@nudge/db';
import {
  AppDirectory,
  createAdmission,
  createHttpHost,
  createLogger,
  createMetrics,
  createOriginPolicy,
  createPipeline,
  createServerKeyVerifier,
  createTokenVerifier,
  MemoryBus,
  MemoryRateLimiter,
} from '@nudge/server-kit';
import { createApi } from './api.ts';
import type { ApiProcessConfig } from './config.ts';
import { killAt, noFailpoints } from './services/failpoints.ts';
import { createApiStores } from './store/create-stores.ts';
import { admitUser, loadDirectory } from './store/directory.ts';

/**
 * An API as a process of its own. Its bus ends at the process: keys reach gateways in the same process only, so beside standalone this
 * serves tests and those who pull without sockets, until a bus between processes is configured.
 */
export async function startApiProcess({ process: config, api: apiSettings, failpoint }: ApiProcessConfig): Promise<AsyncDisposable> {
  const { limits } = config;
  const opened = new AsyncDisposableStack();
  try {
    const log = createLogger({ name: 'nudge-api', level: config.logLevel, pretty: config.logFormat === 'pretty' });
    const metrics = opened.use(createMetrics());
    const pool = createPool({
      connectionString: config.databaseUrl,
      applicationName: 'nudge-api',
      onError: (error) => log.warn({ err: error }, 'a database connection failed'),
    });
    opened.defer(() => pool.end());
    const stores = createApiStores(pool);
    const bus = opened.use(new MemoryBus({ log }));
    const directory = opened.use(new AppDirectory({ load: () => loadDirectory(pool), log }));
    await directory.start();
    const failpoints = failpoint === undefined ? noFailpoints : killAt(failpoint);
    const api = opened.use(createApi({ config: apiSettings, limits, stores, bus, directory, metrics, log, failpoints }));
    const pipeline = createPipeline({
      tokens: createTokenVerifier({ directory, limits }),
      serverKeys: createServerKeyVerifier({ directory }),
      limiter: new MemoryRateLimiter(),
      limits,
      metrics,
      log,
      directory,
      admit: createAdmission({ ensure: (appId, userId) => admitUser(pool, appId, userId) }),
      trustProxy: config.trustProxy,
    });
    const host = opened.use(
      createHttpHost({
        pipeline,
        hot: api.hot,
        routes: api.routes,
        extra: api.extra,
        origins: createOriginPolicy({ allowed: config.allowedOrigins, localhost: false }),
        ops: { metrics, ready: [api.ready] },
        log,
        limits,
        port: config.port,
        host: config.host,
      }),
    );
    await api.start();
    const { url } = await host.start();
    log.info({ url }, 'listening');
    return opened.move();
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}
