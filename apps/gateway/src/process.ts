import { createPool, databaseSource } from '@nudge/db';
import { createLogger, type GatewayRegistration, registerGateway, startPlatform } from '@nudge/server-kit';
import type { GatewayProcessConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createKickStore } from './store/kick-store.ts';
import { createMembershipStore } from './store/membership-store.ts';

/** A gateway as a process of its own. Without `REDIS_URL` its bus ends at the process: it hears no API and serves tests. */
export async function startGatewayProcess(options: GatewayProcessConfig): Promise<AsyncDisposable> {
  const { process: config, databaseUrl, gateway: settings, zone, group, sharedPort } = options;
  await using opened = new AsyncDisposableStack();
  const log = createLogger({ name: 'nudge-gateway', level: config.logLevel, pretty: config.logFormat === 'pretty' });
  const onError = (error: Error): void => log.warn({ err: error }, 'a database connection failed');
  const primary = createPool({ connectionString: databaseUrl, applicationName: 'nudge-gateway', onError });
  opened.defer(() => primary.end());
  const platform = opened.use(
    await startPlatform({
      config,
      log,
      ...databaseSource(primary, config.limits),
      localhost: false,
    }),
  );
  let registration: GatewayRegistration | undefined;
  const gateway = createGateway({
    ...platform,
    config: settings,
    membership: createMembershipStore(primary),
    kicks: createKickStore(primary),
    onDraining: () => registration?.announce(),
    pickTarget: (user) => registration?.pickTarget(user),
  });
  const host = opened.use(platform.host({ hot: [], routes: [], ready: [gateway.ready], reusePort: sharedPort }));
  // Last in, first out: sockets are told to move before the server under them stops, and the directory says until then that it drains.
  opened.defer(() => registration?.[Symbol.asyncDispose]());
  opened.use(gateway);
  gateway.attach(host.server);
  await gateway.start();
  const { url, opsUrl } = await host.start();
  const { gatewayId: id } = gateway;
  const publicUrl = config.publicUrl ?? url;
  const { gateways: directory, clock } = platform;
  const own = { id, url: publicUrl, zone, ...(group === undefined ? {} : { group }) };
  // Every handshake would be refused: devices are better sent elsewhere.
  const describe = async () => ({ ...own, ...gateway.state(), ...((await host.readiness()).ready ? {} : { unready: true as const }) });
  registration = await registerGateway({ directory, describe, clock, log });
  log.info({ url, opsUrl, gatewayId: gateway.gatewayId }, 'listening');
  return opened.move();
}
