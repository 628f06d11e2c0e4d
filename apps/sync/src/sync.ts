import {
  type AppDirectory,
  type BoundRoute,
  type Bus,
  type Clock,
  type Logger,
  type Metrics,
  type ReadyCheck,
  type Router,
  systemClock,
} from '@nudge/server-kit';
import { createRoutes, type Limits } from '@nudge/types';
import type { SyncConfig } from './config.ts';
import { coldRoutes, hotRoutes } from './routes/index.ts';
import { CatchUpService } from './services/catch-up-service.ts';
import { DetailsService } from './services/details-service.ts';
import { EntriesService } from './services/entries-service.ts';
import { HeadsService } from './services/heads-service.ts';
import { PageReader, type Source } from './services/page-reader.ts';
import { Prefetcher } from './services/prefetcher.ts';
import { Replicas } from './services/replicas.ts';
import { Standings } from './services/standings.ts';
import { SyncService } from './services/sync-service.ts';
import { TailCache } from './services/tail-cache.ts';
import { TailRefresher } from './services/tail-refresher.ts';
import { Ticks } from './services/ticks.ts';
import { Turnstile } from './services/turnstile.ts';
import { UserLogs } from './services/user-logs.ts';
import type { ConversationServers } from './store/pull-store.ts';
import type { SyncStores } from './store/sync-stores.ts';

/** What the pull side is composed of. A test swaps a port here. */
export interface SyncDeps {
  readonly config: SyncConfig;
  readonly limits: Limits;
  readonly stores: SyncStores;
  readonly bus: Bus;
  readonly directory: Pick<AppDirectory, 'epochOf'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface Sync extends AsyncDisposable {
  /** Routes for the listener that skips Express. */
  readonly hot: readonly BoundRoute[];
  readonly routes: readonly BoundRoute[];
  readonly ready: ReadyCheck;
  start(): Promise<void>;
}

/** The pull side: pages, catch-up over many logs, the list of conversations. It writes nothing and holds nothing that cannot be read again. */
export function createSync(deps: SyncDeps): Sync {
  const { config, limits, stores, bus, directory, metrics, log, clock = systemClock } = deps;
  const ticks = new Ticks();
  const waitMs = limits.waitForMinMs;
  const cache = new TailCache({
    bus,
    ticks,
    totalBytes: config.cacheBytes,
    tail: { entries: config.tailEntries, bytes: config.tailBytes, membershipTrustMs: config.membershipTrustMs },
    onKey: (tail, seq) => prefetcher.hear(tail, seq),
    onDeaf: (cause) => log.warn({ err: cause }, 'a conversation is served uncached: its control topic could not be subscribed'),
  });
  const router = sourceRouter(stores.router, clock, config.replicaRestMs);
  const reader = new PageReader({
    clock,
    ticks,
    replicaPatienceMs: config.replicaPatienceMs,
    pagesPerStatement: config.pagesPerStatement,
    statementsInFlight: config.statementsInFlight,
    deadlineMs: waitMs,
    onReplicaFailure: (cause) => log.warn({ err: cause }, 'a replica failed and rests'),
  });
  const standings = new Standings({ clock, ticks, cache, pairsPerStatement: limits.syncLogs, deadlineMs: waitMs });
  const refresher = new TailRefresher(reader, limits.pageEntries);
  const prefetcher = new Prefetcher({ router, refresher, ticks });
  const entries = new EntriesService({ router, cache, reader, refresher, standings, clock, ticks, waitMs });
  const catchUp = new CatchUpService({
    router,
    cache,
    reader,
    standings,
    clock,
    waitMs,
    limits: { page: limits.pageEntries, tooLong: limits.tooLongEntries },
  });
  const details = new DetailsService({ router, servers: stores.router, standings });
  const heads = new HeadsService(stores.users);
  const userLogs = new UserLogs(stores.users, limits.pageEntries);
  const turnstile = new Turnstile(config.bulkSyncs);
  const sync = new SyncService({
    catchUp,
    userLogs,
    heads,
    turnstile,
    clock,
    waitMs,
    syncEntries: limits.syncEntries,
    pageHeads: limits.pageEntries,
  });

  metrics.gauge({ name: 'nudge_sync_cached_conversations', help: 'Conversations whose tail is kept', collect: () => cache.size });
  metrics.gauge({ name: 'nudge_sync_cached_bytes', help: 'Bytes counted against the bound of the tail cache', collect: () => cache.bytes });
  metrics.gauge({ name: 'nudge_sync_waiting', help: 'Bulk syncs that wait for their turn', collect: () => turnstile.waiting });

  const routes = createRoutes(limits);
  const services = {
    entries,
    sync,
    details,
    heads,
    directory,
    limits,
    now: () => clock.now(),
    patience: (signal: AbortSignal) => ({ clock, ms: waitMs, signal }),
  };
  return {
    hot: hotRoutes(routes, services),
    routes: coldRoutes(routes, services),
    ready: { name: 'database', check: () => stores.ping() },
    start: async () => undefined,
    [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose](),
  };
}

/** Gives every set of servers its own record of which replicas rest. */
function sourceRouter(router: Router<ConversationServers>, clock: Clock, restMs: number): Router<Source> {
  const sources = new WeakMap<ConversationServers, Source>();
  return {
    route(conversationId) {
      const { pool, group } = router.route(conversationId);
      let source = sources.get(pool);
      if (source === undefined) {
        source = { primary: pool.primary, replicas: new Replicas(pool.replicas, clock, restMs) };
        sources.set(pool, source);
      }
      return { pool: source, group };
    },
  };
}
