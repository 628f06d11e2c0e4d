import { createPool, ensureUser, loadApps, loadKeys, type Pool } from '@nudge/db';
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
  type DirectoryContent,
  MemoryBus,
  MemoryRateLimiter,
} from '@nudge/server-kit';
import type { SyncProcessConfig } from './config.ts';
import { createSyncStores } from './store/create-stores.ts';
import { createSync } from './sync.ts';

/**
 * The pull side as a process of its own. Its bus ends at the process: no control message reaches it, so it hears of a removed member by
 * what it reads, at the latest when the trust in a membership ends, until a bus between processes is configured.
 */
export async function startSyncProcess({ process: config, sync: syncSettings }: SyncProcessConfig): Promise<AsyncDisposable> {
  const { limits } = config;
  const opened = new AsyncDisposableStack();
  try {
    const log = createLogger({ name: 'nudge-sync', level: config.logLevel, pretty: config.logFormat === 'pretty' });
    const metrics = opened.use(createMetrics());
    const open = (connectionString: string, applicationName: string) => {
      const onError = (error: Error): void => log.warn({ err: error }, 'a database connection failed');
      const pool = createPool({ connectionString, applicationName, onError });
      opened.defer(() => pool.end());
      return pool;
    };
    const primary = open(config.databaseUrl, 'nudge-sync');
    const replicas = config.databaseReplicaUrls.map((url) => open(url, 'nudge-sync-replica'));
    const bus = opened.use(new MemoryBus({ log }));
    const directory = opened.use(new AppDirectory({ load: () => loadDirectory(primary), log }));
    await directory.start();
    const stores = createSyncStores({ primary, replicas });
    const sync = opened.use(createSync({ config: syncSettings, limits, stores, bus, directory, metrics, log }));
    const pipeline = createPipeline({
      tokens: createTokenVerifier({ directory, limits }),
      serverKeys: createServerKeyVerifier({ directory }),
      limiter: new MemoryRateLimiter(),
      limits,
      metrics,
      log,
      directory,
      admit: createAdmission({
        ensure: async (appId, userId) => {
          await ensureUser(primary, appId, userId);
        },
      }),
      trustProxy: config.trustProxy,
    });
    const host = opened.use(
      createHttpHost({
        pipeline,
        hot: sync.hot,
        routes: sync.routes,
        origins: createOriginPolicy({ allowed: config.allowedOrigins, localhost: false }),
        ops: { metrics, ready: [sync.ready] },
        log,
        limits,
        port: config.port,
        host: config.host,
      }),
    );
    await sync.start();
    const { url } = await host.start();
    log.info({ url }, 'listening');
    return opened.move();
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Only keys in force are loaded. */
async function loadDirectory(pool: Pool): Promise<DirectoryContent> {
  const [apps, keys] = await Promise.all([loadApps(pool), loadKeys(pool)]);
  return { apps, keys: keys.map((key) => ({ ...key, retiredAt: null })) };
}
