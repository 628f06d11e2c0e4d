import { randomUUID } from 'node:crypto';
import { type AppendResult, append, createConversation, createPool, markRead, type Pool } from '@nudge/db';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { waitFor } from '../../support/wait-for.ts';
import { assertLog, change, converse, createFixture, type Fixture, message, readUpTo, send, sendOne } from './support/fixture.ts';

let db: Fixture;
/** A second process's pool. */
let other: Pool;
beforeAll(async () => {
  db = await createFixture(10);
  // Here everyone contends for one row on purpose; that nobody waits longer than 250 ms is tested elsewhere.
  for (const name of ['append_one', 'append_few', 'append_entries_v2', 'mark_read', 'create_conversation'])
    await db.database.query(`alter function ${name} set lock_timeout = '20s'`);
  other = createPool({ connectionString: db.database.connectionString, applicationName: 'db-test-other', max: 10 });
});
afterAll(async () => {
  await other.end();
  await db[Symbol.asyncDispose]();
});

/** Holds the row lock of a conversation, and knows when others wait for it. */
async function holdLock(conversationId: string) {
  const client = new pg.Client(db.database.connectionString);
  await client.connect();
  await client.query('begin');
  await client.query('select 1 from conversation where id = $1 for update', [conversationId]);
  return {
    query: (sql: string, values: unknown[]) => client.query(sql, values),
    waiting: (count: number) =>
      waitFor('calls to wait for the lock', async () => {
        const sql = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        return (await db.database.query(sql)).length >= count;
      }),
    commit: async () => {
      await client.query('commit');
      await client.end();
    },
  };
}

function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

test.each([
  ['append_one', 1],
  ['append_few', 2],
  ['append_entries_v2', 6],
])('a member removed while a send waits for the lock never writes (%s)', async (_, count) => {
  const id = await converse(db.pool, ['ann', 'bob']);
  const lock = await holdLock(id);
  const sending = send(db.pool, message(id, 'bob'), ...Array.from({ length: count - 1 }, () => message(id, 'bob')));
  await lock.waiting(1);
  // What append_member_change writes, by the holder of the lock.
  await lock.query("update member set left_seq = 2, changed_seq = 2 where conversation_id = $1 and user_id = 'bob'", [id]);
  await lock.query(
    "insert into entry (conversation_id, seq, type, sender_id, message_no, countable, created_at) values ($1, 2, 'member.left', '$system', 0, false, now())",
    [id],
  );
  await lock.query('update conversation set last_seq = 2, member_count = 1, member_version = 2 where id = $1', [id]);
  await lock.commit();
  for (const result of await sending) expect(result).toMatchObject({ status: 'not_member', memberVersion: 2, memberCount: 1 });
  await assertLog(db.database, id);
});

/** The guard is proved: one statement that locks and judges does so with the snapshot from before the wait. */
test('without a fresh snapshot after the lock, the removed member writes', async () => {
  const id = await converse(db.pool, ['ann', 'bob']);
  const lock = await holdLock(id);
  const sending = db.pool.query(
    `with c as (select last_seq from conversation where id = $1 for no key update),
       m as (select from member where conversation_id = $1 and user_id = 'bob' and left_seq is null)
     insert into entry (conversation_id, seq, type, sender_id, message_no, countable, created_at)
     select $1, c.last_seq + 1, 'message', 'bob', 0, false, now() from c, m returning seq`,
    [id],
  );
  await lock.waiting(1);
  await lock.query("update member set left_seq = 2 where conversation_id = $1 and user_id = 'bob'", [id]);
  await lock.query('update conversation set last_seq = 2 where id = $1', [id]);
  await lock.commit();
  expect((await sending).rows).toEqual([{ seq: 3 }]);
});

test('sends and removals at once, from two processes: nothing by a member stands after the entry that says they left', async () => {
  const people = ['ann', ...Array.from({ length: 8 }, (_, index) => `user${index}`)] as [string, ...string[]];
  const id = await converse(db.pool, people);
  const removed = people.slice(1);
  const work = removed.flatMap((user, index) => {
    const pool = index % 2 === 0 ? db.pool : other;
    const sends = Array.from({ length: 12 }, () => () => retrying(() => send(pool, message(id, user), message(id, user))));
    return [
      ...sends.slice(0, 6),
      () => retrying(() => send(other, change(id, 'ann', 'member.remove', { userId: user }))),
      ...sends.slice(6),
    ];
  });
  const results = values(await runTogether(work)).flat();
  expect(results.filter((result) => result.status === 'not_member').length).toBeGreaterThan(0);
  expect(results.filter((result) => result.status === 'ok').length).toBeGreaterThan(removed.length);
  const late = await db.database.query(
    `select e.seq from entry e join member m on m.conversation_id = e.conversation_id and m.user_id = e.sender_id
     where e.conversation_id = $1 and e.seq > m.left_seq`,
    [id],
  );
  expect(late).toEqual([]);
  await assertLog(db.database, id);
});

test('200 concurrent sends of one clientMsgId from two processes: one entry, one seq', async () => {
  const id = await converse(db.pool, ['ann']);
  const input = message(id, 'ann', { clientMsgId: 'once' });
  const work = Array.from(
    { length: 200 },
    (_, index) => () => retrying(() => sendOne(index % 2 === 0 ? db.pool : other, input).then((one) => [one])),
  );
  const results = values(await runTogether(work)).flat();
  expect(new Set(results.map((result) => result.seq))).toEqual(new Set([2]));
  expect(results.filter((result) => result.status === 'ok')).toHaveLength(1);
  expect(results.filter((result) => result.status === 'duplicate')).toHaveLength(199);
  await assertLog(db.database, id);
});

test('batches over the same conversations in opposite orders do not deadlock, and reads run beside them', async () => {
  const ids = await Promise.all(Array.from({ length: 6 }, () => converse(db.pool, ['ann', 'bob'])));
  const work = Array.from({ length: 60 }, (_, index) => async (): Promise<readonly { status: string }[]> => {
    const pool = index % 2 === 0 ? db.pool : other;
    const order = index % 2 === 0 ? ids : ids.toReversed();
    const [first] = order;
    if (first === undefined) return [];
    const route = { route: first, outboxId: randomUUID() };
    const kind = Math.floor(index / 2) % 4;
    if (kind === 0) return Promise.all(order.map((id) => readUpTo(other, id, 'ann', 100)));
    if (kind === 1) {
      const reads = order.flatMap((id) => ['ann', 'bob'].map((userId) => ({ appId: 'a', conversationId: id, userId, seq: 100 })));
      return markRead(pool, { ...route, inputs: reads });
    }
    const some = kind === 2 ? order : [index % 6, (index + 2) % 6].map((at) => order[at] ?? first);
    const inputs = some.flatMap((id) => [message(id, 'ann'), message(id, 'bob')]);
    return retrying(() => append(pool, { ...route, inputs }));
  });
  const results = values(await runTogether(work)).flat();
  expect(new Set(results.map((result) => result.status))).toEqual(new Set(['ok', 'unchanged']));
  for (const id of ids) await assertLog(db.database, id);
  const deadlocks = await db.database.query<{ deadlocks: string }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  );
  expect(Number(deadlocks[0]?.deadlocks)).toBe(0);
});

test('one direct conversation is created once, whoever asks', async () => {
  const id = randomUUID();
  const base = { id, appId: 'a', type: 'direct', title: null, metadata: null, history: 'full' } as const;
  const work = Array.from({ length: 20 }, (_, index) => {
    const [createdBy, member] = index % 2 === 0 ? (['ann', 'bob'] as const) : (['bob', 'ann'] as const);
    const pool = index % 3 === 0 ? other : db.pool;
    return () => createConversation(pool, { ...base, createdBy, members: [member], outboxId: randomUUID() });
  });
  const results = values(await runTogether(work));
  expect(results.filter((result) => result?.created)).toHaveLength(1);
  expect(new Set(results.map((result) => result?.conversation.createdAt)).size).toBe(1);
  expect(results.every((result) => result?.member?.role === 'member')).toBe(true);
  await assertLog(db.database, id);
});

test('two owners who leave at once: one stays', async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = await converse(db.pool, ['ann', 'bob', 'cid']);
    await sendOne(db.pool, change(id, 'ann', 'member.put', { userId: 'bob', role: 'owner' }));
    const leave = (pool: Pool, userId: string) => () => sendOne(pool, change(id, userId, 'member.remove', { userId }));
    const results = values(await runTogether([leave(db.pool, 'ann'), leave(other, 'bob')]));
    expect(results.map((result) => result.status).sort()).toEqual(['last_owner', 'ok']);
    await assertLog(db.database, id);
  }
});

/** Sends again what came back as `repeat`, as an appender does. */
async function retrying(work: () => Promise<AppendResult[]>): Promise<AppendResult[]> {
  for (;;) {
    const results = await work();
    if (results.every((result) => result.status !== 'repeat')) return results;
  }
}
