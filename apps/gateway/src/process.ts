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
  MemorySessionRegistry,
} from '@nudge/server-kit';
import type { GatewayProcessConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { admitUser, loadDirectory } from './store/directory.ts';
import { createMembershipStore } from './store/membership-store.ts';

/**
 * A gateway as a process of its own. Its bus ends at the process: until one between processes is configured it hears no API, so beside
 * standalone this serves ephemeral events and tests.
 */
export async function startGatewayProcess({
  process: config,
  databaseUrl,
  gateway: settings,
}: GatewayProcessConfig): Promise<AsyncDisposable> {
  const { limits } = config;
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ name: 'nudge-gateway', level: config.logLevel, pretty: config.logFormat === 'pretty' });
  const metrics = opened.use(createMetrics());
  const primary = createPool({
    connectionString: databaseUrl,
    applicationName: 'nudge-gateway',
    onError: (error) => log.warn({ err: error }, 'a database connection failed'),
  });
  opened.defer(() => primary.end());
  const directory = opened.use(new AppDirectory({ load: () => loadDirectory(primary), log }));
  await directory.start();
  const bus = opened.use(new MemoryBus({ log }));
  const registry = opened.use(new MemorySessionRegistry());
  const tokens = createTokenVerifier({ directory, limits });
  const serverKeys = createServerKeyVerifier({ directory });
  const admit = createAdmission({ ensure: (appId, userId) => admitUser(primary, appId, userId) });
  const origins = createOriginPolicy({ allowed: config.allowedOrigins, localhost: false });
  const membership = createMembershipStore(primary);
  const gateway = createGateway({ config: settings, limits, bus, registry, membership, tokens, directory, admit, origins, metrics, log });
  const pipeline = createPipeline({ tokens, serverKeys, limiter: new MemoryRateLimiter(), limits, metrics, log, directory, admit });
  const ops = { metrics, ready: [gateway.ready] };
  const host = opened.use(
    createHttpHost({ pipeline, hot: [], routes: [], origins, ops, log, limits, port: config.port, host: config.host }),
  );
  opened.use(gateway);
  gateway.attach(host.server);
  await gateway.start();
  const { url } = await host.start();
  log.info({ url, gatewayId: gateway.gatewayId }, 'listening');
  return opened.move();
}
