import { type Clock, constantRouter, conversationTopic, MemoryBus } from '@nudge/server-kit';
import { conversationLog } from '@nudge/types';
import { EntriesService } from '../services/entries-service.ts';
import { PageReader, type Source } from '../services/page-reader.ts';
import { Prefetcher } from '../services/prefetcher.ts';
import { Replicas } from '../services/replicas.ts';
import { Standings } from '../services/standings.ts';
import { TailCache } from '../services/tail-cache.ts';
import { TailRefresher } from '../services/tail-refresher.ts';
import { Ticks } from '../services/ticks.ts';
import type { PullStore } from '../store/pull-store.ts';

/** Bounds small enough for a test to meet them. */
export interface SmallLimits {
  readonly tailEntries?: number;
  readonly totalBytes?: number;
  readonly pageEntries?: number;
}

/** The services of single pages over stores of the test's choice. */
export function readerUnderTest(primary: PullStore, replicas: readonly PullStore[], clock: Clock, limits: SmallLimits = {}) {
  const bus = new MemoryBus();
  const ticks = new Ticks();
  const replicaFailures: unknown[] = [];
  const tail = { entries: limits.tailEntries ?? 8, bytes: 4096, membershipTrustMs: 5000 };
  const cache = new TailCache({
    bus,
    ticks,
    tail,
    totalBytes: limits.totalBytes ?? 1_000_000,
    onKey: (held, seq) => prefetcher.hear(held, seq),
    onDeaf: () => undefined,
  });
  const source: Source = { primary, replicas: new Replicas(replicas, clock, 5000) };
  const reader = new PageReader({
    clock,
    ticks,
    replicaPatienceMs: 100,
    pagesPerStatement: 4,
    statementsInFlight: 2,
    deadlineMs: 2000,
    onReplicaFailure: (cause) => replicaFailures.push(cause),
  });
  const standings = new Standings({ clock, ticks, cache, pairsPerStatement: 100, deadlineMs: 2000 });
  const refresher = new TailRefresher(reader, limits.pageEntries ?? 50);
  const router = constantRouter(source);
  const prefetcher = new Prefetcher({ router, refresher, ticks });
  const entries = new EntriesService({ router, cache, reader, refresher, standings, clock, ticks, waitMs: 2000 });
  const control = (appId: string, conversationId: string, memberVersion: number, head: number): Promise<void> =>
    bus.publish([{ topic: conversationTopic(appId, conversationId), message: { kind: 'control', conversationId, memberVersion, head } }]);
  const key = (appId: string, conversationId: string, seq: number): Promise<void> =>
    bus.publish([{ topic: conversationTopic(appId, conversationId), message: { kind: 'key', log: conversationLog(conversationId), seq } }]);
  const dispose = async (): Promise<void> => {
    await cache[Symbol.asyncDispose]();
    await bus[Symbol.asyncDispose]();
  };
  return {
    bus,
    cache,
    source,
    router,
    reader,
    standings,
    refresher,
    entries,
    ticks,
    control,
    key,
    replicaFailures,
    [Symbol.asyncDispose]: dispose,
  };
}
