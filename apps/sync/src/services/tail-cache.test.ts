import { type Bus, type BusMessage, conversationTopic, MemoryBus } from '@nudge/server-kit';
import { expect, test } from 'vitest';
import type { ConversationState, PageRows } from '../store/pull-store.ts';
import type { Origin } from './origin.ts';
import { lastOf } from './run.ts';
import { TailCache, type TailCacheOptions } from './tail-cache.ts';
import { Ticks } from './ticks.ts';

const state = (lastSeq: number): ConversationState => ({ appId: 'app', lastSeq, oldestSeq: 1, history: 'full', memberVersion: 1 });
const rows = (first: number, last: number, size = 10): PageRows => ({
  state: state(last),
  member: { joinedSeq: 1, leftSeq: null },
  first,
  texts: Array.from({ length: last - first + 1 }, () => 'x'.repeat(size)),
});

function setUp(overrides: Partial<TailCacheOptions> = {}) {
  const bus = new MemoryBus();
  const ticks = new Ticks();
  const deaf: unknown[] = [];
  const cache = new TailCache({
    bus,
    ticks,
    tail: { entries: 20, bytes: 10_000, membershipTrustMs: 5_000 },
    totalBytes: 100_000,
    onKey: () => undefined,
    onDeaf: (cause) => deaf.push(cause),
    ...overrides,
  });
  const sent = (): Pick<Origin, 'sentTick'> => ({ sentTick: ticks.next() });
  const arrived = ({ sentTick }: Pick<Origin, 'sentTick'>): Origin => ({ sentTick, arrivedTick: ticks.now(), sentAt: 0, primary: true });
  const control = (id: string, memberVersion = 2): Promise<void> => {
    const message: BusMessage = { kind: 'control', conversationId: id, memberVersion, head: 1 };
    return bus.publish([{ topic: conversationTopic('app', id), message }]);
  };
  return { bus, ticks, cache, deaf, sent, arrived, control };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what was read before the control topic was heard is not kept', async () => {
  const { cache, sent, arrived } = setUp();
  const early = sent();
  const tail = cache.track('c', state(3));
  await turn();
  tail?.absorbPage(rows(1, 3), 'ann', arrived(early));
  expect([tail?.open, tail?.head, tail?.roster.knows('ann')]).toEqual([true, undefined, false]);
  tail?.absorbPage(rows(1, 3), 'ann', arrived(sent()));
  expect([tail?.head, tail?.roster.knows('ann')]).toEqual([3, true]);
});

test('a control message drops the copies, and what was under way when it came is not kept', async () => {
  const { cache, sent, arrived, control } = setUp();
  const tail = cache.track('c', state(3));
  await turn();
  tail?.absorbPage(rows(1, 3), 'ann', arrived(sent()));
  const underWay = sent();
  await control('c');
  expect([tail?.head, tail?.roster.knows('ann')]).toEqual([undefined, false]);
  tail?.absorbPage(rows(1, 4), 'ann', arrived(underWay));
  expect(tail?.head).toBeUndefined();
  await control('other');
});

test('after a control message where the log begins is not known until the primary was asked again', async () => {
  const { ticks, cache, sent, arrived, control } = setUp();
  const tail = cache.track('c', state(3));
  await turn();
  tail?.absorbPage(rows(1, 3), 'ann', arrived(sent()));
  const underWay = sent();
  await control('c', 1);
  expect([tail?.roster.knows('ann'), tail?.startFor('ann', 0)]).toEqual([true, undefined]);
  tail?.absorbPage(rows(1, 3), 'ann', arrived(underWay));
  expect(tail?.startFor('ann', 0)).toBeUndefined();
  const { sentTick } = sent();
  tail?.absorbStanding({ ...rows(1, 3), state: { ...state(3), oldestSeq: 2 } }, 'ann', {
    sentTick,
    arrivedTick: ticks.now(),
    sentAt: 0,
    primary: true,
  });
  expect(tail?.startFor('ann', 0)).toBe(2);
});

test('after an interruption of the bus nothing is kept that was read before', async () => {
  const { bus, cache, sent, arrived } = setUp();
  const tails = ['c', 'd'].map((id) => cache.track(id, state(3)));
  await turn();
  for (const tail of tails) tail?.absorbPage(rows(1, 3), 'ann', arrived(sent()));
  expect(tails.map((tail) => [tail?.head, tail?.startFor('ann', 0)])).toEqual([
    [3, 1],
    [3, 1],
  ]);
  bus.interrupt();
  expect(tails.map((tail) => [tail?.head, tail?.startFor('ann', 0)])).toEqual([
    [undefined, undefined],
    [undefined, undefined],
  ]);
});

test('the bound holds, and what is evicted is not listened to any more', async () => {
  const { bus, cache, sent, arrived } = setUp({ totalBytes: 8_000 });
  for (let i = 0; i < 50; i += 1) {
    const tail = cache.track(`c${i}`, state(5));
    await turn();
    tail?.absorbPage(rows(1, 5, 100), 'ann', arrived(sent()));
    tail?.page({ kind: 'after', seq: 0, limit: 5 }, 1, 1, 0);
    expect(cache.bytes).toBeLessThanOrEqual(8_000);
    expect(bus.topicCount).toBe(cache.size);
  }
  expect(cache.size).toBeGreaterThan(1);
  expect(cache.get('c49')).toBeDefined();
  expect(cache.get('c0')).toBeUndefined();
  await cache[Symbol.asyncDispose]();
  expect([cache.size, cache.bytes, bus.topicCount]).toEqual([0, 0, 0]);
  expect(cache.track('late', state(1))).toBeUndefined();
});

test('what is in use outlives what is not', async () => {
  const { cache } = setUp({ totalBytes: 4_200 });
  for (let i = 0; i < 30; i += 1) {
    cache.track(`c${i}`, state(1));
    cache.get('c0');
  }
  expect([cache.size, cache.get('c0') === undefined]).toEqual([4, false]);
});

test('one conversation keeps the newest entries within its own bounds', async () => {
  const { cache, sent, arrived } = setUp();
  const tail = cache.track('c', state(1));
  await turn();
  for (let last = 1; last <= 100; last += 1) tail?.absorbPage(rows(last, last), undefined, arrived(sent()));
  expect([tail?.first, tail?.head]).toEqual([81, 100]);
  tail?.absorbPage(rows(101, 103, 2_000), undefined, arrived(sent()));
  expect([tail?.first, tail?.head]).toEqual([102, 103]);
  expect(lastOf({ first: tail?.first ?? 0, texts: ['', ''] })).toBe(103);
});

test('a conversation whose topic cannot be subscribed is not held', async () => {
  const bus: Bus = {
    publish: async () => undefined,
    subscribe: async () => {
      throw new Error('the bus is down');
    },
    onInterruption: () => () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  const { cache, deaf } = setUp({ bus });
  expect(cache.track('c', state(1))?.open).toBe(false);
  await turn();
  expect([cache.size, cache.bytes, deaf.length]).toEqual([0, 0, 1]);
});

test('a conversation evicted while its topic was being subscribed is unsubscribed', async () => {
  const { bus, cache } = setUp();
  cache.track('c', state(1));
  await cache[Symbol.asyncDispose]();
  await turn();
  expect(bus.topicCount).toBe(0);
});
