import type {
  AppDirectory,
  BoundRoute,
  Bus,
  Clock,
  GatewayDirectory,
  Logger,
  Metrics,
  ReadyCheck,
  Restrictions,
  Router,
  SessionRegistry,
  Tracer,
} from '@nudge/server-kit';
import { noTracer, systemClock } from '@nudge/server-kit';
import { createRoutes, type Limits } from '@nudge/types';
import type express from 'express';
import type { ApiConfig } from './config.ts';
import { createOpenApiDocument } from './openapi/document.ts';
import { coldRoutes, hotRoutes } from './routes/index.ts';
import { docsRouter } from './routes/openapi/docs.ts';
import { Users } from './services/admin/users.ts';
import { Appender } from './services/appender/appender.ts';
import type { CallFailure } from './services/batching/batcher.ts';
import { BlockMirror } from './services/blocks/block-mirror.ts';
import { ConversationChanges } from './services/conversations/conversation-changes.ts';
import { Conversations } from './services/conversations/conversations.ts';
import { Memberships } from './services/conversations/memberships.ts';
import { UsersNamed } from './services/conversations/users-named.ts';
import { type Failpoints, noFailpoints } from './services/failpoints.ts';
import { FeedWriter } from './services/feed/feed-writer.ts';
import { Dispatcher } from './services/gateways/dispatcher.ts';
import type { Jobs } from './services/jobs/jobs.ts';
import { ContentSecrets } from './services/messages/content-secrets.ts';
import { CountableTypes } from './services/messages/countable-types.ts';
import { MessageChanges } from './services/messages/message-changes.ts';
import { MessageVersions } from './services/messages/message-versions.ts';
import { Messages } from './services/messages/messages.ts';
import { EffectRunner } from './services/outbox/effects.ts';
import { OutboxCleaner } from './services/outbox/outbox-cleaner.ts';
import { MemberCache } from './services/publisher/member-cache.ts';
import { Publisher } from './services/publisher/publisher.ts';
import { ReadPositions } from './services/read-positions/read-positions.ts';
import { Receipts } from './services/receipts/receipts.ts';
import { Revocation } from './services/revocation/revocation.ts';
import { UserSessions } from './services/sessions/user-sessions.ts';
import { Sweeper } from './services/sweeper/sweeper.ts';
import type { ConversationStore } from './store/conversation-store.ts';
import type { RestrictionStore } from './store/restriction-store.ts';
import type { ScheduledStore } from './store/scheduled-store.ts';
import type { UserStore } from './store/user-store.ts';
import { createUserSide } from './user-side.ts';

/** How long the settings of an app are believed, ms. */
const COUNTABLE_MS = 5_000;

/** The databases as the API sees them: `createApiStores(pool)`. */
export interface ApiStores {
  /** Which database holds a conversation. */
  readonly router: Router<ConversationStore>;
  /** All of them, each with an outbox to sweep. */
  readonly databases: readonly ConversationStore[];
  readonly users: UserStore;
  readonly scheduled: ScheduledStore;
  readonly restrictions: RestrictionStore;
  readonly classify: (error: unknown) => CallFailure;
  /** Whether the primary answers. */
  readonly ping: () => Promise<boolean>;
}

/** What an API is composed of. A test swaps a port here. */
export interface ApiDeps {
  readonly config: ApiConfig;
  readonly limits: Limits;
  readonly stores: ApiStores;
  readonly bus: Bus;
  readonly directory: AppDirectory;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly failpoints?: Failpoints;
  readonly tracer?: Tracer;
  /** Where sessions are known. */
  readonly registry: SessionRegistry;
  /** What this process knows of revocations and bans. */
  readonly revocations: Pick<Restrictions, 'apply'>;
  /** Where gateways are known. */
  readonly gateways: GatewayDirectory;
  /** Work in the background; the API starts and ends it. */
  readonly jobs: Jobs;
}

export interface Api extends AsyncDisposable {
  /** Routes for the listener that skips Express. */
  readonly hot: readonly BoundRoute[];
  readonly routes: readonly BoundRoute[];
  /** Documents and pages. */
  readonly extra: readonly express.Router[];
  readonly ready: readonly ReadyCheck[];
  /** Begins to sweep the outbox and to do background jobs. */
  start(): Promise<void>;
}

/**
 * The write side: conversations, members, sends, read positions, the integrator's routes. Disposing finishes what was begun (the HTTP
 * server must have stopped taking requests before): every send is answered, every key published, every finished outbox row deleted.
 */
export function createApi(deps: ApiDeps): Api {
  const {
    config,
    limits,
    stores,
    bus,
    registry,
    gateways,
    revocations,
    jobs,
    directory,
    metrics,
    log,
    clock = systemClock,
    failpoints = noFailpoints,
  } = deps;
  const { router, databases, users, scheduled, restrictions, classify } = stores;

  const members = new MemberCache({
    load: (conversationId) => router.route(conversationId).pool.memberList(conversationId),
    capacity: config.cachedMembers,
  });
  const stopListening = bus.onInterruption(() => members.clear());
  const publisher = new Publisher({ bus, members, pace: config.pace, clock });
  const cleaner = new OutboxCleaner({
    remove: (rows) => removeByDatabase(router, rows),
    clock,
    log,
    delayMs: config.outboxDelayMs,
    maxRows: 500,
  });
  const feeds = new FeedWriter({ router, users });
  const blocks = new BlockMirror({ router, users, bus });
  const effects = new EffectRunner({ publisher, feeds, blocks, cleaner, failpoints, log });
  const appender = new Appender({
    router,
    effects,
    classify,
    limits,
    failpoints,
    maxBatch: config.maxBatch,
    tracer: deps.tracer ?? noTracer,
  });
  const receipts = new Receipts({ router, bus, limits, clock, log });
  const readPositions = new ReadPositions({ router, effects, receipts, classify, limits, maxBatch: config.maxBatch });
  const secrets = new ContentSecrets(users);
  const countable = new CountableTypes({ load: (appId) => users.countableTypes(appId), clock, maxAgeMs: COUNTABLE_MS });
  const usersNamed = new UsersNamed(users, limits);
  const userSide = createUserSide({
    router,
    databases,
    users,
    scheduled,
    usersNamed,
    appender,
    effects,
    publisher,
    bus,
    registry,
    jobs,
    jobsConfig: config.jobs,
    limits,
    clock,
    log,
  });
  const services = {
    ...userSide,
    conversations: new Conversations({ router, effects, users, usersNamed, limits, clock }),
    conversationChanges: new ConversationChanges({ appender, limits }),
    memberships: new Memberships({ router, appender, effects, usersNamed, limits, clock }),
    messages: new Messages({ router, appender, scheduler: userSide.scheduled, secrets, countable, limits }),
    messageChanges: new MessageChanges({ appender, secrets, limits }),
    messageVersions: new MessageVersions(router),
    readPositions,
    users: new Users({ users, restrictions, directory, limits, clock }),
    userSessions: new UserSessions({ registry, bus, store: restrictions, log }),
    revocation: new Revocation({ store: restrictions, revocations, bus, log }),
    dispatcher: new Dispatcher({ ...config, gateways, ttlSeconds: config.gatewaysTtlSeconds, clock, log }),
  };
  const sweepers = databases.map((store) => new Sweeper({ store, effects, members, clock, log, ...config.sweeper }));
  metrics.gauge({
    name: 'nudge_appends_unanswered',
    help: 'Appends waiting or in flight',
    collect: () => appender.unanswered,
  });

  const routes = createRoutes(limits);
  return {
    hot: hotRoutes(routes, services),
    routes: coldRoutes(routes, services),
    extra: [docsRouter(() => createOpenApiDocument({ limits, version: config.version }))],
    ready: [
      { name: 'database', check: () => stores.ping() },
      { name: 'jobs', check: () => jobs.isReady },
    ],
    start: async () => {
      for (const sweeper of sweepers) sweeper.start();
      await jobs.start();
    },
    async [Symbol.asyncDispose]() {
      stopListening();
      // Before the appends are waited for: a job that runs may send one.
      await jobs[Symbol.asyncDispose]();
      const swept = Promise.all(sweepers.map((sweeper) => sweeper[Symbol.asyncDispose]()));
      await Promise.all([appender.idle(), readPositions.idle()]);
      await receipts.flush();
      await effects.begun();
      await publisher.drain();
      await effects.idle();
      await cleaner.flush();
      await swept;
    },
  };
}

async function removeByDatabase(
  router: Router<ConversationStore>,
  rows: readonly { readonly conversationId: string; readonly id: string }[],
): Promise<void> {
  const groups = Map.groupBy(rows, (row) => router.route(row.conversationId).pool);
  await Promise.all([...groups].map(([store, own]) => store.deleteOutbox(own)));
}
