import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { asTimePasses, createWorld, range, type SyncServer, seqs, type World } from './support/sync-server.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A server whose way to the primary can go bad. Its time stands still: a proxy that is slow uses up no budget and no trust. */
async function serveThroughProxy() {
  const opened = new AsyncDisposableStack();
  const proxy = opened.use(await createTcpProxy({ port: Number(new URL(inject('postgres').connectionString).port) }));
  const clock = new ManualClock(Date.now());
  const server = opened.use(await world.serve({ primary: proxy.through(world.database.connectionString), clock }));
  return { proxy, server, clock, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

test('a primary that hangs is a retryable 503 after the wait budget, in a sync for that log alone; then everything goes on', async () => {
  await using it = await serveThroughProxy();
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 3);
  const ann = it.server.as('ann');
  expect((await ann.entries(id)).status).toBe(200);
  it.proxy.stall();
  const answers = Promise.all([ann.entries(id, `?after=0&min=${head}`), ann.sync({ conversations: { [id]: { after: 0, min: head } } })]);
  await waitFor('a statement to be held up', () => it.proxy.stats.fired.stall > 0);
  const [pull, sync] = await asTimePasses(it.clock, 1_000, answers);
  expect(pull).toMatchObject({ status: 503, body: { code: 'not_caught_up', retryable: true } });
  expect(Number(pull.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect(sync.body.conversations[id]).toEqual({ error: { code: 'not_caught_up', retryable: true, retryAfterMs: expect.any(Number) } });
  it.proxy.heal();
  await waitFor('the primary to answer again', async () => (await ann.entries(id, '?after=0')).status === 200);
  expect(seqs((await ann.entries(id, '?after=0')).body)).toEqual(range(1, head));
});

test('a primary that is gone is 503, and what a tail already holds is still served for as long as memberships are trusted', async () => {
  await using it = await serveThroughProxy();
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 3);
  const ann = it.server.as('ann');
  const query = `?after=1&min=${head}`;
  for (let i = 0; i < 3; i += 1) expect((await ann.entries(id, query)).status).toBe(200);
  it.proxy.refuse();
  it.proxy.reset();
  expect(seqs((await ann.entries(id, query)).body)).toEqual(range(2, head));
  expect(await ann.entries(id)).toMatchObject({ status: 503, body: { retryable: true } });
  expect(await ann.sync({ conversations: { [id]: { after: 0 } } })).toMatchObject({ status: 503, body: { retryable: true } });
  expect(await ann.heads()).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
  it.proxy.heal();
  await waitFor('the primary to answer again', async () => (await ann.entries(id)).status === 200);
});

test('clients that go away while they wait leave nothing behind', async () => {
  await using it = await serveThroughProxy();
  const id = await world.conversation(['ann']);
  const ann = it.server.as('ann');
  expect((await ann.entries(id)).status).toBe(200);
  it.proxy.stall();
  const gone = new AbortController();
  const pulls = range(1, 20).map(() => ann.get(`/v1/sync/conversations/${id}/entries`, gone.signal));
  await waitFor('the pulls to arrive', async () => (await inFlight(it.server)) >= 20);
  gone.abort();
  expect((await Promise.allSettled(pulls)).map(({ status }) => status)).toEqual(pulls.map(() => 'rejected'));
  await waitFor('the pulls to be given up', async () => (await inFlight(it.server)) === 0);
  it.proxy.heal();
});

test('many clients at once, members and strangers, while the log grows: nobody sees a hole, a stranger nothing', async () => {
  await using server = await world.serve({ config: { tailEntries: 10, cacheBytes: 20_000 } });
  const ids = await Promise.all(range(1, 4).map(() => world.conversation(['ann', 'bob', 'cat'])));
  const TOTAL = 40;
  const heads = new Map(ids.map((id) => [id, 1]));
  const writing = Promise.all(
    ids.map(async (id) => {
      for (let i = 0; i < TOTAL; i += 1) heads.set(id, await world.send(id, 'ann'));
    }),
  );
  const follow = async (userId: string, id: string, withMin: boolean): Promise<number[]> => {
    const found: number[] = [];
    for (let after = 0; after < TOTAL + 1; ) {
      const min = heads.get(id) ?? 0;
      const { status, body } = await server.as(userId).entries(id, `?after=${after}&limit=7${withMin ? `&min=${min}` : ''}`);
      expect(status).toBe(200);
      expect(body.head).toBeGreaterThanOrEqual(min);
      found.push(...seqs(body));
      after = body.entries.at(-1)?.seq ?? after;
      if (body.entries.length === 0) await waitFor('a new entry', () => (heads.get(id) ?? 0) > after, { intervalMs: 1 });
    }
    return found;
  };
  const followers = ids.flatMap((id) => ['ann', 'bob', 'cat'].flatMap((user) => [follow(user, id, true), follow(user, id, false)]));
  const strangers = ids.map(async (id) => (await server.as('dan').entries(id)).status);
  for (const found of await Promise.all(followers)) expect(found).toEqual(range(1, TOTAL + 1));
  expect(await Promise.all(strangers)).toEqual(ids.map(() => 404));
  await writing;
});

async function inFlight({ metrics }: SyncServer): Promise<number> {
  const text = await metrics.text();
  return Number(/^nudge_http_requests_in_flight (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}
