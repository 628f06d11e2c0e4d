import { createPool, databaseSource } from '@nudge/db';
import { createLogger, startPlatform } from '@nudge/server-kit';
import type { SyncProcessConfig } from './config.ts';
import { createSyncStores } from './store/create-stores.ts';
import { createSync } from './sync.ts';

/**
 * The pull side as a process of its own. Its bus ends at the process: no control message reaches it, so it hears of a removed member by
 * what it reads, at the latest when the trust in a membership ends, until a bus between processes is configured.
 */
export async function startSyncProcess({ process: config, sync: syncSettings }: SyncProcessConfig): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ name: 'nudge-sync', level: config.logLevel, pretty: config.logFormat === 'pretty' });
  const onError = (error: Error): void => log.warn({ err: error }, 'a database connection failed');
  const open = (connectionString: string, applicationName: string) => {
    const pool = createPool({ connectionString, applicationName, onError });
    opened.defer(() => pool.end());
    return pool;
  };
  const primary = open(config.databaseUrl, 'nudge-sync');
  const replicas = config.databaseReplicaUrls.map((url) => open(url, 'nudge-sync-replica'));
  const platform = opened.use(
    await startPlatform({
      config,
      log,
      ...databaseSource(primary, config.limits),
      localhost: false,
    }),
  );
  const sync = opened.use(createSync({ ...platform, config: syncSettings, stores: createSyncStores({ primary, replicas }) }));
  const host = opened.use(platform.host({ hot: sync.hot, routes: sync.routes, ready: [sync.ready] }));
  await sync.start();
  const { url, opsUrl } = await host.start();
  log.info({ url, opsUrl }, 'listening');
  return opened.move();
}
