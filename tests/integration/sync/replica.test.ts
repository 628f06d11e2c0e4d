import { ManualClock } from '@nudge/server-kit/testing';
import type { SyncStores } from '@nudge/sync';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createReplica, type Replica } from '../../support/replica.ts';
import { waitFor } from '../../support/wait-for.ts';
import { asTimePasses, createWorld, range, type SyncServer, type SyncServerOptions, seqs, type World } from './support/sync-server.ts';

let world: World;
let replica: Replica;
beforeAll(async () => {
  world = await createWorld();
  replica = await createReplica({ primary: inject('postgres') });
});
afterAll(async () => {
  await replica[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Pages read by each server, as it answered them: how far the log went there. */
interface Watched {
  readonly primary: number[];
  readonly replicas: number[];
}

async function serveWithReplica(options: SyncServerOptions = {}): Promise<{ server: SyncServer; watched: Watched }> {
  const watched: Watched = { primary: [], replicas: [] };
  const server = await world.serve({
    replicas: [replica.through(world.database.connectionString)],
    stores: (stores) => watch(stores, watched),
    ...options,
  });
  return { server, watched };
}

function watch(stores: SyncStores, watched: Watched): SyncStores {
  const { pool, group } = stores.router.route('');
  const record = (store: typeof pool.primary, list: number[]): typeof pool.primary => ({
    ...store,
    async readPages(reads) {
      const pages = await store.readPages(reads);
      list.push(...pages.map((page) => page?.state.lastSeq ?? 0));
      return pages;
    },
  });
  const servers = {
    ...pool,
    primary: record(pool.primary, watched.primary),
    replicas: pool.replicas.map((one) => record(one, watched.replicas)),
  };
  return { ...stores, router: { route: () => ({ pool: servers, group }) } };
}

test('a replica that has caught up serves the rows', async () => {
  const { server, watched } = await serveWithReplica({ config: { replicaPatienceMs: 5_000 }, limits: { waitForMinMs: 10_000 } });
  await using _ = server;
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 9);
  await replica.caughtUp();
  expect(seqs((await server.as('ann').entries(id, `?after=0&min=${head}`)).body)).toEqual(range(1, head));
  expect(seqs((await server.as('ann').entries(id, '?before=4')).body)).toEqual([1, 2, 3]);
  expect(watched.primary).toEqual([]);
  expect(watched.replicas.length).toBeGreaterThan(0);
});

test('what a key promised comes from the primary when the replica stands still', async () => {
  const clock = new ManualClock(Date.now());
  const { server, watched } = await serveWithReplica({ config: { replicaPatienceMs: 500 }, clock });
  const inTime = <T>(work: Promise<T>): Promise<T> => asTimePasses(clock, 50, work);
  await using _ = server;
  const id = await world.conversation(['ann', 'bob']);
  const behind = await world.send(id, 'ann', 2);
  await replica.caughtUp();
  const ann = server.as('ann');
  await waitFor('a connection to the replica', async () => {
    await inTime(ann.entries(id, '?before=3'));
    return watched.replicas.length > 0;
  });
  await replica.pauseReplay();
  watched.replicas.length = 0;
  watched.primary.length = 0;
  try {
    const head = await world.send(id, 'ann', 3);
    const pull = ann.entries(id, `?after=0&min=${head}`);
    await waitFor('the replica to be found behind', () => watched.replicas.includes(behind));
    expect(seqs((await inTime(pull)).body)).toEqual(range(1, head));
    expect(Math.max(...watched.replicas), 'the replica lagged').toBe(behind);
    expect(watched.primary).toContain(head);
    expect(watched.replicas.length).toBeLessThan(20);

    const next = await world.send(id, 'ann');
    const bob = server.as('bob');
    expect((await inTime(bob.entries(id, '?after=0'))).body).toMatchObject({ head: next, more: false });
    const { body } = await inTime(bob.sync({ conversations: { [id]: { after: 0 } } }));
    expect(body.conversations[id]).toMatchObject({ head: next, more: false });
    const ahead = await inTime(ann.entries(id, `?after=0&min=${next + 1}`));
    expect(ahead).toMatchObject({ status: 409, body: { code: 'seq_ahead' } });
  } finally {
    await replica.resumeReplay();
  }
});

test('a pull waits for a replica that gets there in time', async () => {
  const { server, watched } = await serveWithReplica({ config: { replicaPatienceMs: 10_000 }, limits: { waitForMinMs: 20_000 } });
  await using _ = server;
  const id = await world.conversation(['ann']);
  const behind = await world.send(id, 'ann', 2);
  await replica.caughtUp();
  await replica.pauseReplay();
  const head = await world.send(id, 'ann');
  const pull = server.as('ann').entries(id, `?after=0&min=${head}`);
  try {
    await waitFor('the replica to be found behind', () => watched.replicas.includes(behind));
  } finally {
    await replica.resumeReplay();
  }
  expect(seqs((await pull).body)).toEqual(range(1, head));
  expect([watched.primary, watched.replicas.at(-1)]).toEqual([[], head]);
});

test('who may read is asked of the primary: a member removed there is refused, whatever the replica knows', async () => {
  const { server } = await serveWithReplica();
  await using _ = server;
  const id = await world.conversation(['ann', 'bob']);
  const head = await world.send(id, 'ann', 2);
  await replica.caughtUp();
  await replica.pauseReplay();
  try {
    await world.leave(id, 'bob');
    expect((await server.as('bob').entries(id, `?after=0&min=${head}`)).status).toBe(404);
    const { body } = await server.as('bob').sync({ conversations: { [id]: { after: 0, min: head } } });
    expect(body.conversations[id]).toEqual({ error: { code: 'not_found', retryable: false } });
    const joined = await world.put(id, 'ann', 'cat');
    expect((await server.as('cat').entries(id)).body).toMatchObject({ head: joined });
  } finally {
    await replica.resumeReplay();
  }
});

test('a replica that is gone is passed over', async () => {
  const gone = new URL(world.database.connectionString);
  gone.port = '1';
  const { server, watched } = await serveWithReplica({ replicas: [gone.href] });
  await using _ = server;
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 2);
  for (let i = 0; i < 5; i += 1) expect((await server.as('ann').entries(id, '?after=0')).body).toMatchObject({ head });
  expect(watched.replicas).toEqual([]);
});
