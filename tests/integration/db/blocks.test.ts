import { randomUUID } from 'node:crypto';
import { applyFeed, blockedBetween, createConversation, feedAfter, listBlocks, mirrorBlock, setBlock, upsertUsers } from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture(10);
  for (const name of ['set_block', 'mirror_block', 'create_conversation', 'apply_feed'])
    await db.database.query(`alter function ${name} set lock_timeout = '20s'`);
});
afterAll(() => db[Symbol.asyncDispose]());

/** Two users of their own. */
async function pair(): Promise<[string, string]> {
  const stem = randomUUID().slice(0, 8);
  const users: [string, string] = [`${stem}-1`, `${stem}-2`];
  await upsertUsers(
    db.pool,
    'a',
    users.map((id) => ({ id })),
  );
  return users;
}

const block = (userId: string, otherId: string, conversationId: string, blocked = true, appId = 'a') =>
  setBlock(db.pool, { appId, userId, otherId, blocked, conversationId, outboxId: randomUUID() });

const direct = (id: string, createdBy: string, other: string) =>
  createConversation(db.pool, {
    id,
    appId: 'a',
    type: 'direct',
    createdBy,
    members: [other],
    title: null,
    metadata: null,
    history: 'full',
    outboxId: randomUUID(),
  });

const blocked = async (id: string) =>
  (
    await db.database.query<{ user_id: string }>(
      'select user_id from member where conversation_id = $1 and blocked_at is not null order by 1',
      [id],
    )
  ).map((row) => row.user_id);

function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

test('a block stands on both sides, in the feed of who blocks, and in the outbox', async () => {
  const [one, two] = await pair();
  const id = randomUUID();
  expect(await block(one, two, id)).toEqual({ changed: true, feedVersion: 1 });
  expect(await block(one, two, id)).toEqual({ changed: false, feedVersion: null });
  expect(await listBlocks(db.pool, 'a', one, null, 10)).toEqual([{ userId: two, createdAt: expect.any(String) }]);
  expect(await listBlocks(db.pool, 'a', one, two, 10)).toEqual([]);
  expect(await listBlocks(db.pool, 'a', two, null, 10)).toEqual([]);
  expect(await blockedBetween(db.pool, 'a', [one, two, 'nobody'])).toEqual(
    new Map([
      [one, [two]],
      [two, [one]],
    ]),
  );
  expect(await blockedBetween(db.pool, 'b', [one, two])).toEqual(new Map());
  const feed = async (user: string) => (await feedAfter(db.pool, 'a', user, 0, 10)).rows.map((row) => [row.subject, JSON.parse(row.state)]);
  expect(await feed(one)).toEqual([[`block/${two}`, { blocked: true }]]);
  expect(await feed(two)).toEqual([]);
  expect(await block(one, two, id, false)).toEqual({ changed: true, feedVersion: 2 });
  expect(await block(one, two, id, false)).toEqual({ changed: false, feedVersion: null });
  expect(await feed(one)).toEqual([[`block/${two}`, { blocked: false }]]);
  expect(await blockedBetween(db.pool, 'a', [one, two])).toEqual(new Map());
  const rows = await db.database.query('select kind, payload from outbox where conversation_id = $1', [id]);
  expect(rows).toEqual(Array(2).fill({ kind: 'block', payload: { blocks: [['a', id, one, two]] } }));
});

test('nobody blocks oneself or somebody unknown', async () => {
  const [one] = await pair();
  for (const other of [one, 'nobody']) expect(await block(one, other, randomUUID())).toEqual({ changed: false, feedVersion: null });
  expect(await block('nobody', one, randomUUID())).toEqual({ changed: false, feedVersion: null });
});

test('a mirror follows each side, and leaves groups and other apps alone', async () => {
  const [one, two] = await pair();
  const id = randomUUID();
  expect(await mirrorBlock(db.pool, { appId: 'a', conversationId: id })).toEqual({ changed: false });
  await direct(id, one, two);
  const mirror = async (appId = 'a') => (await mirrorBlock(db.pool, { appId, conversationId: id })).changed;
  await block(one, two, id);
  expect([await mirror('b'), await mirror(), await mirror()]).toEqual([false, true, false]);
  expect(await blocked(id)).toEqual([two]);
  await block(two, one, id);
  expect(await mirror()).toBe(true);
  expect(await blocked(id)).toEqual([one, two]);
  await block(one, two, id, false);
  expect(await mirror()).toBe(true);
  expect(await blocked(id)).toEqual([one]);
  await db.database.query("update conversation set type = 'group' where id = $1", [id]);
  await block(two, one, id, false);
  expect(await mirror()).toBe(false);
});

test('blocks in both directions race with the creation: whoever comes last has seen the others', async () => {
  for (let round = 0; round < 25; round += 1) {
    const [one, two] = await pair();
    const id = randomUUID();
    const mirror = () => mirrorBlock(db.pool, { appId: 'a', conversationId: id });
    const work: (() => Promise<unknown>)[] = [
      () => block(one, two, id).then(mirror),
      () => block(two, one, id).then(mirror),
      () => direct(id, one, two).then(mirror),
    ];
    values(await runTogether(round % 2 === 0 ? work : work.toReversed()));
    expect(await blocked(id)).toEqual([one, two]);
  }
});

test('blocks to and fro beside feed writes do not deadlock, and end as the table says', async () => {
  const [one, two] = await pair();
  const id = randomUUID();
  await direct(id, one, two);
  const work = Array.from({ length: 60 }, (_, n) => async () => {
    const [from, to] = n % 2 === 0 ? [one, two] : [two, one];
    if (n % 3 === 2) {
      const items = [from, to].map((userId) => ({ appId: 'a', userId, subject: 'pref/x', srcVersion: null, state: `{"n":${n}}` }));
      return applyFeed(db.pool, items);
    }
    await block(from, to, id, n % 4 < 2);
    return mirrorBlock(db.pool, { appId: 'a', conversationId: id });
  });
  values(await runTogether(work));
  const rows = await db.database.query<{ user_id: string }>(
    "select user_id from block where kind = 'blocked_by' and user_id = any ($1) order by 1",
    [[one, two]],
  );
  expect(await blocked(id)).toEqual(rows.map((row) => row.user_id));
  const [stats] = await db.database.query('select deadlocks::int from pg_stat_database where datname = current_database()');
  expect(stats).toEqual({ deadlocks: 0 });
});
