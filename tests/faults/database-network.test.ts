import pg from 'pg';
import { expect, test } from 'vitest';
import { httpClient, sent } from '../protocol/support/http.ts';
import { send, soundLog } from '../races/support/arena.ts';
import { wideLimits } from '../races/support/limits.ts';
import { createTestDatabase } from '../support/database.ts';
import { seedApp } from '../support/seed.ts';
import { startSystem } from '../support/system.ts';
import { createTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';

/** Longer than a statement may take, with what a busy machine adds. */
const BOUND_MS = 20_000;

/** A system whose way to PostgreSQL can go bad, with a group of two; the truth is read past the fault. */
async function createWorld() {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createTestDatabase());
  const apps = [await seedApp(database, 'one', { users: ['ann', 'bob'] }), await seedApp(database, 'two')] as const;
  const proxy = stack.use(await createTcpProxy({ port: Number(new URL(database.connectionString).port) }));
  const reached = { ...database, connectionString: proxy.through(database.connectionString) };
  const system = stack.use(await startSystem({ env: wideLimits, database: reached, apps }));
  const http = httpClient(system.url);
  const ann = { id: 'ann', token: apps[0].token('ann') };
  const { conversation } = (await http.call('createConversation', { token: ann.token, body: { type: 'group', members: ['bob'] } })).ok(201);
  const opened = stack.move();
  return { database, proxy, http, ann, id: conversation.id, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

type World = Awaited<ReturnType<typeof createWorld>>;

/** Sends again until there is an answer; all outcomes must agree with the log. */
async function settle({ http, ann, id, database }: World, ids: readonly string[]): Promise<void> {
  for (const clientMsgId of ids) {
    const reply = await waitFor(`the outcome of ${clientMsgId}`, async () => {
      const answer = await send(http, ann, id, clientMsgId);
      if (answer.status < 300) return answer;
      answer.refused('database_unavailable');
      return undefined;
    });
    const log = await soundLog({ database }, id);
    expect(log[sent(reply).seq - 1]).toMatchObject({ clientMsgId, body: { text: clientMsgId } });
  }
}

test('a connection reset inside of a statement is a 503 at once, and the same clientMsgId settles the outcome', async () => {
  await using world = await createWorld();
  const { database, proxy, http, ann, id } = world;
  const holder = new pg.Client(database.connectionString);
  await holder.connect();
  try {
    // The append waits for this lock: its statement is under way for sure.
    await holder.query('begin');
    await holder.query('select 1 from conversation where id = $1 for update', [id]);
    const ids = ['reset-0', 'reset-1', 'reset-2'];
    const replies = ids.map((clientMsgId) => send(http, ann, id, clientMsgId));
    await waitFor(
      'the append to wait',
      async () => {
        const sql = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return (await database.query(sql)).length > 0;
      },
      { intervalMs: 2 },
    );
    expect(proxy.reset()).toBeGreaterThan(0);
    const [first] = await Promise.all(replies);
    first?.refused('database_unavailable');
    await holder.query('rollback');
    await settle(world, ids);
  } finally {
    await holder.end();
  }
  expect(await soundLog({ database }, id)).toHaveLength(4);
});

test('an answer cut in the middle is a 503, and the same clientMsgId settles the outcome', async () => {
  await using world = await createWorld();
  const { proxy, http, ann, id, database } = world;
  (await send(http, ann, id, 'before')).ok(201);
  proxy.cutAfter(3, 'toClient');
  (await send(http, ann, id, 'cut')).refused('database_unavailable');
  expect(proxy.stats.fired.cut).toBeGreaterThan(0);
  await waitFor('the commit', async () => (await database.query(`select 1 from entry where client_msg_id = 'cut'`)).length === 1);
  proxy.heal();
  expect(
    (
      await waitFor('the retry', async () => {
        const reply = await send(http, ann, id, 'cut');
        return reply.status < 500 ? reply : undefined;
      })
    ).ok(200).seq,
  ).toBe(3);
});

test('a stall longer than any statement may take: answers are bounded, never an ack, and the outcome is settled afterwards', async () => {
  await using world = await createWorld();
  const { proxy, http, ann, id, database } = world;
  (await send(http, ann, id, 'before')).ok(201);
  proxy.stall();
  const startedAt = performance.now();
  const ids = ['stalled-0', 'stalled-1', 'stalled-2', 'stalled-3'];
  const replies = await Promise.race([
    Promise.all(ids.map((clientMsgId) => send(http, ann, id, clientMsgId))),
    waitFor('answers', () => performance.now() - startedAt > BOUND_MS && ('none' as const), { timeoutMs: BOUND_MS + 5_000 }),
  ]);
  expect(proxy.stats.fired.stall).toBeGreaterThan(0);
  proxy.heal();
  if (replies === 'none') throw new Error(`no answer within ${BOUND_MS} ms`);
  for (const reply of replies) reply.refused('database_unavailable');
  await settle(world, ids);
  expect(await soundLog({ database }, id)).toHaveLength(6);
}, 60_000);
