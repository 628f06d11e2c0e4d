import { ManualClock } from '@nudge/server-kit/testing';
import { afterEach, expect, test } from 'vitest';
import { countingStore } from '../testing/counting-store.ts';
import { NaiveLog } from '../testing/naive-log.ts';
import { readerUnderTest } from '../testing/reader-under-test.ts';
import type { EntriesQuery } from './entries-service.ts';
import type { Page } from './page.ts';

const USERS = Array.from({ length: 10 }, (_, i) => `u${i}`);
const never = new AbortController().signal;
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

function setUp(replicaCount = 0) {
  const truth = new NaiveLog();
  truth.create('c', 'app', USERS);
  for (let i = 0; i < 5; i += 1) truth.append('c');
  const clock = new ManualClock();
  const primary = countingStore(truth.store());
  const behind = Array.from({ length: replicaCount }, () => new NaiveLog());
  for (const replica of behind) replica.catchUp(truth);
  const replicas = behind.map((log) => countingStore(log.store()));
  const reader = readerUnderTest(primary, replicas, clock);
  opened.push(reader);
  const pull = async (after: number, min?: number, userId = 'u0', signal = never): Promise<Page> => {
    const query: EntriesQuery = {
      appId: 'app',
      userId,
      epoch: 1,
      conversationId: 'c',
      window: { kind: 'after', seq: after, limit: 50 },
      min,
    };
    return reader.entries.cached(query) ?? reader.entries.list(query, signal);
  };
  return { truth, clock, primary, behind, replicas, reader, pull };
}

/** The first pull makes the conversation known, the second is kept. */
async function warmUp({ pull }: ReturnType<typeof setUp>): Promise<void> {
  await pull(0);
  await pull(0);
}

test('a cold pull is one statement', async () => {
  const { primary, pull } = setUp();
  const page = await pull(0, 6);
  expect(page.count).toBe(6);
  expect([primary.pages, primary.standings]).toEqual([[1], []]);
});

test('a key that the tail has reached costs no statement, and one encoding for all who ask the same', async () => {
  const it = setUp();
  await warmUp(it);
  await Promise.all(USERS.map((user) => it.pull(5, 6, user)));
  const { primary } = it;
  const before = [primary.pages.length, primary.standings.length];
  const pages = await Promise.all(USERS.map((user) => it.pull(5, 6, user)));
  expect([primary.pages.length, primary.standings.length]).toEqual(before);
  expect(new Set(pages.map((page) => page.whole)).size).toBe(1);
  expect(pages[0]?.whole.toString()).toBe('{"epoch":1,"entries":[{"seq":6}],"mine":{},"head":6,"oldestSeq":1,"more":false}');
});

test('everyone who follows the same key shares one statement', async () => {
  const it = setUp();
  await warmUp(it);
  await Promise.all(USERS.map((user) => it.pull(5, 6, user)));
  const before = it.primary.pages.length;
  const seq = it.truth.append('c');
  await Promise.all(USERS.map((user) => it.pull(seq - 1, seq, user)));
  expect(it.primary.pages.slice(before)).toEqual([1]);
});

test('a key is read ahead of the pulls it causes, once for each time the tail was pulled from', async () => {
  const it = setUp();
  await warmUp(it);
  await Promise.all(USERS.map((user) => it.pull(5, 6, user)));
  const before = it.primary.pages.length;
  const seq = it.truth.append('c');
  await it.reader.key('app', 'c', seq);
  await until(() => it.reader.cache.get('c')?.head === seq);
  const pages = await Promise.all(USERS.map((user) => it.pull(seq - 1, seq, user)));
  expect(it.primary.pages.slice(before)).toEqual([1]);
  expect(new Set(pages.map((page) => page.whole)).size).toBe(1);

  await it.reader.key('app', 'c', it.truth.append('c'));
  await until(() => it.reader.cache.get('c')?.head === seq + 1);
  for (let i = 0; i < 5; i += 1) await it.reader.key('app', 'c', it.truth.append('c'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(it.primary.pages.slice(before)).toEqual([1, 1]);
  expect((await it.pull(seq, seq + 6)).count).toBe(6);
  expect(it.primary.pages.slice(before)).toEqual([1, 1, 1]);
});

test('memberships that are not known are asked together', async () => {
  const it = setUp();
  await warmUp(it);
  await Promise.all(USERS.map((user) => it.pull(5, 6, user)));
  expect(it.primary.standings).toEqual([USERS.length - 1]);
});

test('a pull without min asks the primary every time, in one statement', async () => {
  const it = setUp();
  await warmUp(it);
  const before = it.primary.pages.length;
  it.truth.append('c');
  expect((await it.pull(5)).count).toBe(2);
  expect((await it.pull(7)).count).toBe(0);
  expect([it.primary.pages.slice(before), it.primary.standings]).toEqual([[1, 1], []]);
});

test('a membership that was not confirmed for five seconds is asked again', async () => {
  const it = setUp();
  await warmUp(it);
  it.clock.advance(5_000);
  await it.pull(5, 6);
  expect(it.primary.standings).toEqual([]);
  it.clock.advance(1);
  await it.pull(5, 6);
  expect(it.primary.standings).toEqual([1]);
  await it.pull(5, 6);
  expect(it.primary.standings).toEqual([1]);
});

test('whoever left is refused as soon as anything newer was read, and at once after a control message', async () => {
  const it = setUp();
  await warmUp(it);
  await it.pull(5, 6, 'u1');
  it.truth.leave('c', 'u1');
  await it.pull(6, 7, 'u0');
  await expect(it.pull(5, 6, 'u1')).rejects.toMatchObject({ code: 'not_found' });
  await it.pull(6, 7, 'u2');
  it.truth.leave('c', 'u2');
  await it.reader.control('app', 'c', it.truth.memberVersion('c'), it.truth.head('c'));
  await expect(it.pull(5, 6, 'u2')).rejects.toMatchObject({ code: 'not_found' });
});

test('a user of the same name in another app sees nothing, cached or not', async () => {
  const it = setUp();
  await warmUp(it);
  const query: EntriesQuery = {
    appId: 'other',
    userId: 'u0',
    epoch: 1,
    conversationId: 'c',
    window: { kind: 'after', seq: 5, limit: 50 },
    min: 6,
  };
  expect(it.reader.entries.cached(query)).toBeUndefined();
  for (const conversationId of ['c', 'none']) {
    await expect(it.reader.entries.list({ ...query, conversationId }, never)).rejects.toMatchObject({ code: 'not_found' });
    await expect(it.reader.entries.list({ ...query, conversationId, min: 999 }, never)).rejects.toMatchObject({ code: 'not_found' });
  }
});

test('a seq the primary has not reached is refused at once, a primary that is silent after the budget', async () => {
  const it = setUp();
  await expect(it.pull(0, 7)).rejects.toMatchObject({ code: 'seq_ahead' });
  await expect(it.pull(7)).rejects.toMatchObject({ code: 'seq_ahead' });
  it.primary.mode = 'is silent';
  const waiting = it.pull(0, 6);
  await new Promise((resolve) => setImmediate(resolve));
  it.clock.advance(2_000);
  await expect(waiting).rejects.toMatchObject({ code: 'not_caught_up', retryable: true });
});

test('a client that goes away stops waiting', async () => {
  const it = setUp();
  it.primary.mode = 'is silent';
  const client = new AbortController();
  const waiting = it.pull(0, 6, 'u0', client.signal);
  client.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  expect(it.clock.pending).toBe(0);
});

test('a failure is not kept: the next pull succeeds', async () => {
  const it = setUp();
  await warmUp(it);
  it.truth.append('c');
  it.primary.mode = 'fails';
  await expect(Promise.all([it.pull(6, 7), it.pull(6, 7)])).rejects.toThrow('the server is down');
  it.primary.mode = 'answers';
  expect((await it.pull(6, 7)).count).toBe(1);
});

test('replicas serve rows in turn once the primary has said who may read', async () => {
  const it = setUp(2);
  expect((await it.pull(0)).count).toBe(6);
  expect((await it.pull(0, 6, 'u1')).count).toBe(6);
  expect([it.primary.pages, it.primary.standings]).toEqual([[], [1, 1]]);
  expect(it.replicas.map(({ pages }) => pages.length)).toEqual([0, 1]);
  it.reader.cache.dropAll();
  expect((await it.pull(0, 6)).count).toBe(6);
  expect([it.primary.pages, it.replicas.map(({ pages }) => pages.length)]).toEqual([[], [1, 1]]);
});

test('a stranger to a conversation that is held costs the one statement that one costs which does not exist', async () => {
  const it = setUp();
  await warmUp(it);
  const { primary } = it;
  const before = [primary.pages.length, primary.standings.length];
  await expect(it.pull(5, undefined, 'stranger')).rejects.toMatchObject({ code: 'not_found' });
  expect([primary.pages.slice(before[0]), primary.standings.slice(before[1])]).toEqual([[1], []]);
});

test('a replica that gets there in time is waited for, one that does not is passed over', async () => {
  const it = setUp(1);
  const seq = it.truth.append('c');
  const waiting = it.pull(seq - 1, seq);
  await until(() => (it.replicas[0]?.pages.length ?? 0) > 0 && it.clock.pending > 1);
  it.behind[0]?.catchUp(it.truth);
  it.clock.advance(5);
  expect((await waiting).count).toBe(1);
  expect(it.primary.pages).toEqual([]);

  const next = it.truth.append('c');
  const impatient = it.pull(next - 1, next);
  await until(() => {
    it.clock.advance(5);
    return it.primary.pages.length > 0;
  });
  expect((await impatient).count).toBe(1);
  expect(it.replicas[0]?.pages.length).toBeLessThan(12);
});

test('a dead replica costs one failure, then it rests', async () => {
  const it = setUp(1);
  const [replica] = it.replicas;
  if (replica === undefined) throw new Error('no replica');
  replica.mode = 'fails';
  for (const user of USERS) expect((await it.pull(0, 6, user)).count).toBe(6);
  expect([replica.pages, it.reader.replicaFailures.length]).toEqual([[1], 1]);
  replica.mode = 'answers';
  it.clock.advance(5_001);
  await it.reader.cache[Symbol.asyncDispose]();
  await it.pull(0, 6);
  expect(replica.pages).toEqual([1, 1]);
});

/** Turns of the event loop until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(condition()).toBe(true);
}
