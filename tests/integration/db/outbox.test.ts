import { randomUUID } from 'node:crypto';
import { append, deferOutbox, deleteOutbox, dueOutbox, markRead, type Pool } from '@nudge/db';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { converse, createFixture, type Fixture, message, readUpTo, sendOne } from './support/fixture.ts';

let db: Fixture;
let pool: Pool;
let id: string;
beforeAll(async () => {
  db = await createFixture();
  pool = db.pool;
  id = await converse(pool, ['ann', 'bob']);
});
afterAll(() => db[Symbol.asyncDispose]());
beforeEach(() => db.database.query('delete from outbox'));

const due = (olderThanMs = 0, limit = 100) => dueOutbox(pool, { olderThanMs, limit });

test('the row has the caller’s id, and is due once it is old enough', async () => {
  const outboxId = randomUUID();
  const [result] = await append(pool, { route: id, outboxId, inputs: [message(id, 'ann')] });
  const row = {
    conversationId: id,
    id: outboxId,
    kind: 'append',
    payload: { heads: [['a', id, result?.seq]] },
    attempts: 0,
    createdAt: result?.createdAt,
  };
  expect(await due(60_000)).toEqual([]);
  expect(await due()).toEqual([row]);
});

test('reads: one row for a batch that moved anything, none for one that did not', async () => {
  const { seq } = await sendOne(pool, message(id, 'ann'));
  await db.database.query('delete from outbox');
  const inputs = [
    { appId: 'a', conversationId: id, userId: 'bob', seq: 1 },
    { appId: 'a', conversationId: id, userId: 'bob', seq: 1e9 },
    { appId: 'a', conversationId: id, userId: 'eve', seq: 1 },
  ];
  const results = await markRead(pool, { route: id, outboxId: randomUUID(), inputs });
  expect(results).toEqual([
    { status: 'ok', readSeq: seq, head: seq, unread: 0 },
    { status: 'ok', readSeq: seq, head: seq, unread: 0 },
    { status: 'not_found', readSeq: null, head: null, unread: null },
  ]);
  expect(await due()).toMatchObject([{ kind: 'read', payload: { reads: [['a', id, 'bob', seq]] } }]);
  await db.database.query('delete from outbox');
  expect(await readUpTo(pool, id, 'bob', 2)).toMatchObject({ status: 'unchanged', readSeq: seq });
  expect(await due()).toEqual([]);
});

test('deleted by key, once; two deleters in opposite orders do not deadlock', async () => {
  for (let n = 0; n < 30; n += 1) await sendOne(pool, message(id, 'ann'));
  const rows = await due();
  const counts = await runTogether([() => deleteOutbox(pool, rows), () => deleteOutbox(pool, rows.toReversed())]);
  expect(counts.map((count) => (count.status === 'fulfilled' ? count.value : -1)).reduce((sum, count) => sum + count, 0)).toBe(30);
  expect(await due()).toEqual([]);
  expect(await deleteOutbox(pool, [])).toBe(0);
});

test('deleting does not wait for the disk, and nothing else is allowed that', async () => {
  const settings = await pool.query(
    "select delete_outbox($1, array[]::uuid[], array[]::uuid[]), current_setting('synchronous_commit') as value",
    [id],
  );
  expect(settings.rows).toMatchObject([{ value: 'off' }]);
  expect((await pool.query("select current_setting('synchronous_commit') as value")).rows).toEqual([{ value: 'on' }]);
});

test('a deferred row waits longer each time and blocks nobody', async () => {
  await sendOne(pool, message(id, 'ann'));
  const [stuck] = await due();
  if (stuck === undefined) throw new Error('there is a row');
  const delays = [];
  for (let n = 0; n < 11; n += 1) {
    await deferOutbox(pool, [stuck]);
    const [row] = await db.database.query(
      'select attempts, round(extract(epoch from next_at - now()))::int as wait from outbox where id = $1',
      [stuck.id],
    );
    delays.push(row?.wait);
    expect(row?.attempts).toBe(n + 1);
  }
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  await sendOne(pool, message(id, 'ann'));
  expect(await due()).toHaveLength(1);
  expect((await due()).map((row) => row.id)).not.toContain(stuck.id);
});

test('the longest due first', async () => {
  for (let n = 0; n < 3; n += 1) await sendOne(pool, message(id, 'ann'));
  await db.database.query("update outbox set next_at = now() - (payload -> 'heads' -> 0 ->> 2)::int * interval '1 min'");
  const heads = (await due(0, 2)).map((row) => (row.kind === 'append' ? row.payload.heads[0]?.[2] : 0));
  expect(heads).toEqual([...heads].sort((x, y) => (y ?? 0) - (x ?? 0)));
  expect(heads).toHaveLength(2);
});
