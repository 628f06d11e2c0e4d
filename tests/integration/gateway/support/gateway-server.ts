import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { append, createConversation, createPool, loadApps, loadKeys, type Pool } from '@nudge/db';
import {
  createGateway,
  createMembershipStore,
  type Gateway,
  type GatewayConfig,
  type GatewayDeps,
  type MembershipSource,
} from '@nudge/gateway';
import {
  AppDirectory,
  type BusMessage,
  type Clock,
  conversationTopic,
  createAdmission,
  createLogger,
  createMetrics,
  createOriginPolicy,
  createTokenVerifier,
  type Logger,
  MemoryBus,
  MemorySessionRegistry,
  type Metrics,
  mintToken,
  type SessionRegistry,
  userTopic,
} from '@nudge/server-kit';
import { defaultLimits, type Limits } from '@nudge/types';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { seedApp, type TestApp } from '../../../support/seed.ts';
import { Device, type DeviceOptions } from './device.ts';
import { RawSocket } from './raw-socket.ts';

/** The database that the tests of a file share, with two tenants. */
export interface GatewayWorld extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly app: TestApp;
  readonly otherApp: TestApp;
  /** A conversation of `app` with these members, the first its owner. */
  conversation(members: readonly string[], app?: TestApp, type?: 'group' | 'channel'): Promise<string>;
  /** Sets a block or takes it back, in the database only. */
  block(userId: string, otherId: string, blocked?: boolean): Promise<void>;
  /** Sets who may see a user's presence, in the database only. */
  visibility(userId: string, visibility: 'everyone' | 'nobody'): Promise<void>;
  /** Takes a member out, in the database only; answers the control message that the API would publish. */
  remove(conversationId: string, userId: string, by: string): Promise<Extract<BusMessage, { kind: 'control' }>>;
}

export async function createGatewayWorld(): Promise<GatewayWorld> {
  const database = await createTestDatabase();
  const app = await seedApp(database, 'one');
  const otherApp = await seedApp(database, 'two');
  const pool = createPool({ connectionString: database.connectionString, applicationName: 'gateway-test' });
  return {
    database,
    pool,
    app,
    otherApp,
    async conversation([creator = 'nobody', ...members], owner = app, type = 'group') {
      const id = randomUUID();
      const metadata = null;
      await createConversation(pool, {
        id,
        appId: owner.id,
        type,
        createdBy: creator,
        members,
        title: null,
        metadata,
        history: 'full',
        outboxId: randomUUID(),
      });
      return id;
    },
    async block(userId, otherId, blocked = true) {
      await database.query('insert into chat_user (app_id, id) select $1, unnest($2::text[]) on conflict do nothing', [
        app.id,
        [userId, otherId],
      ]);
      const sides = [app.id, userId, otherId];
      if (blocked) {
        await database.query(
          `insert into block (app_id, user_id, kind, other_id, created_at) values ($1, $2, 'blocks', $3, now()), ($1, $3, 'blocked_by', $2, now())`,
          sides,
        );
      } else {
        await database.query(
          `delete from block where app_id = $1 and ((user_id, kind, other_id) = ($2, 'blocks', $3) or (user_id, kind, other_id) = ($3, 'blocked_by', $2))`,
          sides,
        );
      }
    },
    async visibility(userId, visibility) {
      await database.query(
        'insert into chat_user (app_id, id, presence_visibility) values ($1, $2, $3) on conflict (app_id, id) do update set presence_visibility = $3',
        [app.id, userId, visibility],
      );
    },
    async remove(conversationId, userId, by) {
      const input = {
        appId: app.id,
        conversationId,
        senderId: by,
        clientMsgId: null,
        contentHash: null,
        type: 'member.remove',
        body: JSON.stringify({ userId }),
        targetSeq: null,
        countable: false,
        mode: 'interactive' as const,
      };
      const [result] = await append(pool, { route: conversationId, outboxId: randomUUID(), inputs: [input] });
      if (result?.status !== 'ok' || result.memberVersion === null || result.seq === null)
        throw new Error(`not removed: ${result?.status}`);
      return { kind: 'control', conversationId, memberVersion: result.memberVersion, head: result.seq };
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await database[Symbol.asyncDispose]();
    },
  };
}

export interface GatewayServerOptions {
  readonly config?: Partial<GatewayConfig>;
  readonly limits?: Partial<Limits>;
  readonly allowedOrigins?: readonly string[];
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Shared with another gateway. */
  readonly bus?: MemoryBus;
  readonly registry?: SessionRegistry;
  /** What else a gateway may be composed of. */
  readonly deps?: Partial<
    Pick<GatewayDeps, 'ephemeral' | 'kicks' | 'revocations' | 'onDraining' | 'pickTarget' | 'admit' | 'refusal' | 'clientAddress'>
  >;
  /** Stands in front of the database. */
  readonly membership?: (store: MembershipSource) => MembershipSource;
}

/** A gateway on a real HTTP server and a real database, with its bus at hand: the tests publish what the API would. */
export interface GatewayServer extends AsyncDisposable {
  readonly port: number;
  readonly gateway: Gateway;
  readonly bus: MemoryBus;
  readonly registry: SessionRegistry;
  readonly metrics: Metrics;
  token(userId: string, options?: { readonly app?: TestApp; readonly ttlSeconds?: number }): string;
  /** A device of socket.io-client; resolves with its welcome. */
  connect(userId: string, options?: Partial<DeviceOptions> & { readonly app?: TestApp }): Promise<Device>;
  /** A WebSocket without a client library; resolves once the upgrade is done. */
  raw(query?: string): Promise<RawSocket>;
  publishToUser(userId: string, message: BusMessage, app?: TestApp): Promise<void>;
  publishToConversation(conversationId: string, message: BusMessage, app?: TestApp): Promise<void>;
  /** Value of a metric, 0 while it has none. */
  metric(name: string): Promise<number>;
}

export async function startGatewayServer(world: GatewayWorld, options: GatewayServerOptions = {}): Promise<GatewayServer> {
  const { pool, app: first } = world;
  // The machine is shared by test processes: a late event loop here is no load of this gateway.
  const limits: Limits = { ...defaultLimits, eventLoopDelayMs: 60_000, ...options.limits };
  const log = options.log ?? createLogger({ name: 'test', level: 'silent' });
  await using stack = new AsyncDisposableStack();
  const metrics = stack.use(createMetrics());
  const directory = stack.use(
    new AppDirectory({
      load: async () => ({ apps: await loadApps(pool), keys: (await loadKeys(pool)).map((key) => ({ ...key, retiredAt: null })) }),
      log,
      // A machine that stood still has not read them again in time.
      staleMs: 600_000,
    }),
  );
  await directory.start();
  const bus = options.bus ?? stack.use(new MemoryBus({ log }));
  const registry = options.registry ?? stack.use(new MemorySessionRegistry(options.clock === undefined ? {} : { clock: options.clock }));
  const store = createMembershipStore(pool);
  const gateway = createGateway({
    config: {
      // A database that is late here is no reason to go on without the user's relation.
      relationsWaitMs: 30_000,
      // A clock that a test moves on in one go leaves a lease no time to be renewed.
      ...(options.clock === undefined ? {} : { leaseMs: 86_400_000 }),
      ...options.config,
    },
    limits,
    bus,
    registry,
    membership: options.membership?.(store) ?? store,
    tokens: createTokenVerifier({ directory, limits }),
    directory,
    admit: createAdmission({ ensure: async () => undefined }),
    origins: createOriginPolicy({ allowed: options.allowedOrigins ?? [], localhost: false }),
    metrics,
    log,
    ...options.deps,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const server = createServer((_request, response) => response.writeHead(404).end());
  stack.defer(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  gateway.attach(server);
  stack.use(gateway);
  await gateway.start();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const devices = new Set<Device>();
  const raws = new Set<RawSocket>();
  stack.defer(() => {
    for (const device of devices) device.close();
    for (const raw of raws) raw.terminate();
  });
  const token = (userId: string, { app = first, ttlSeconds = 3_600 }: { app?: TestApp; ttlSeconds?: number } = {}) =>
    mintToken({ key: app.signingKey, userId, ttlSeconds }).token;
  const running = stack.move();
  return {
    port,
    gateway,
    bus,
    registry,
    metrics,
    token,
    async connect(userId, { app = first, ...rest } = {}) {
      const device = new Device(port, { token: token(userId, { app }), deviceId: 'd1', ...rest });
      devices.add(device);
      await device.welcomed;
      return device;
    },
    async raw(query = '') {
      const raw = await RawSocket.open(port, query);
      raws.add(raw);
      return raw;
    },
    publishToUser: (userId, message, app = first) => bus.publish([{ topic: userTopic(app.id, userId), message }]),
    publishToConversation: (id, message, app = first) => bus.publish([{ topic: conversationTopic(app.id, id), message }]),
    async metric(name) {
      const line = (await metrics.text()).split('\n').find((candidate) => candidate.startsWith(name) && !candidate.startsWith('#'));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
