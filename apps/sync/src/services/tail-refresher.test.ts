import { ManualClock } from '@nudge/server-kit/testing';
import { expect, test } from 'vitest';
import { countingStore } from '../testing/counting-store.ts';
import { NaiveLog } from '../testing/naive-log.ts';
import { readerUnderTest } from '../testing/reader-under-test.ts';
import type { Floor } from './tail-refresher.ts';

/** A warm tail of a log of five, and a store whose answers leave one by one. */
async function setUp() {
  const truth = new NaiveLog();
  truth.create('c', 'app', ['ann']);
  for (let i = 0; i < 4; i += 1) truth.append('c');
  const gates: { readonly label: string; readonly open: () => void }[] = [];
  let gated = false;
  const store = countingStore(
    truth.store((label) => {
      if (!gated) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      gates.push({ label, open: resolve });
      return promise;
    }),
  );
  const reader = readerUnderTest(store, [], new ManualClock());
  const signal = new AbortController().signal;
  for (let i = 0; i < 2; i += 1) {
    await reader.entries.list(
      { appId: 'app', userId: 'ann', epoch: 1, conversationId: 'c', window: { kind: 'after', seq: 0, limit: 50 }, min: undefined },
      signal,
    );
  }
  const tail = reader.cache.get('c');
  if (tail?.head !== 5) throw new Error('the tail is not warm');
  gated = true;
  store.pages.length = 0;
  const refresh = (floor: Partial<Floor>) =>
    reader.refresher.refresh(
      reader.source,
      tail,
      { seq: 0, fresh: false, since: reader.ticks.now(), ...floor },
      { after: 5, repairs: false },
      undefined,
    ).landed;
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const openOne = async (): Promise<void> => {
    await turn();
    gates.shift()?.open();
    await turn();
  };
  return { truth, store, reader, tail, refresh, turn, openOne };
}

test('whoever comes before the statement leaves is on board, whatever the floor', async () => {
  const it = await setUp();
  it.truth.append('c');
  const flights = [it.refresh({ seq: 6 }), it.refresh({ seq: 6, fresh: true }), it.refresh({ seq: 9 })];
  await it.openOne();
  await it.openOne();
  expect((await Promise.all(flights)).map((reading) => reading?.rows?.state.lastSeq)).toEqual([6, 6, 6]);
  expect([it.store.pages, it.tail.head]).toEqual([[1], 6]);
});

test('a flight under way is joined only by those whose floor it left for', async () => {
  const it = await setUp();
  it.truth.append('c');
  const first = it.refresh({ seq: 6 });
  await it.turn();
  const [joins, higher, fresh] = [it.refresh({ seq: 6 }), it.refresh({ seq: 7 }), it.refresh({ seq: 6, fresh: true })];
  await it.openOne();
  it.truth.append('c');
  await it.openOne();
  expect((await first)?.rows?.state.lastSeq).toBe(6);
  expect((await joins)?.rows?.state.lastSeq).toBe(6);
  await it.turn();
  await it.openOne();
  await it.openOne();
  expect([(await higher)?.rows?.state.lastSeq, (await fresh)?.rows?.state.lastSeq]).toEqual([7, 7]);
  expect([it.store.pages, it.tail.head]).toEqual([[1, 1], 7]);
});

test('a failure stays with those who were on board when it left; who joined later is told to ask again', async () => {
  const it = await setUp();
  it.store.mode = 'fails';
  const onBoard = it.refresh({ seq: 6 });
  const joined = it.refresh({ seq: 6 });
  await expect(onBoard).rejects.toThrow('the server is down');
  expect(await joined).toBeUndefined();
  it.store.mode = 'answers';
  it.truth.append('c');
  const again = it.refresh({ seq: 6 });
  await it.openOne();
  await it.openOne();
  expect((await again)?.rows?.state.lastSeq).toBe(6);
});
