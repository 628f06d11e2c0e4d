import { randomUUID } from 'node:crypto';
import { type AppendInput, append, type Pool } from '@nudge/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertLog, change, converse, createFixture, type Fixture, message, readUpTo, send as sendAll } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

test('many conversations and senders: one gapless log each, one outbox row for all', async () => {
  const one = await converse(db.pool, ['ann', 'bob']);
  const two = await converse(db.pool, ['ann', 'bob']);
  await db.database.query('delete from outbox');
  const outboxId = randomUUID();
  const inputs = [one, two, one, two, one].map((id, index) => message(id, index % 2 === 0 ? 'ann' : 'bob'));
  const results = await append(db.pool, { route: one, outboxId, inputs });
  expect(results.map((result) => result.seq)).toEqual([2, 2, 3, 3, 4]);
  expect(new Set(results.map((result) => result.createdAt)).size).toBe(1);
  const [row, ...others] = await db.database.query<{ conversation_id: string; id: string; payload: { heads: unknown[] } }>(
    'select * from outbox',
  );
  expect(others).toEqual([]);
  expect(row).toMatchObject({ conversation_id: one, id: outboxId });
  expect(row?.payload).toEqual({
    heads: expect.arrayContaining([
      ['a', one, 4],
      ['a', two, 3],
    ]),
  });
  await assertLog(db.database, one);
  await assertLog(db.database, two);
});

describe.each([
  ['by itself', 0],
  ['among many', 5],
] as const)('a call %s', (_, among) => {
  /** Appends in one call; with `among` others, so that few messages take the way of many. Those are refused and answer nothing. */
  const send = async (pool: Pool, ...inputs: [AppendInput, ...AppendInput[]]) => {
    const others = Array.from({ length: among }, () => message(randomUUID(), 'nobody'));
    return (await sendAll(pool, ...inputs, ...others)).slice(0, inputs.length);
  };
  const statuses = async (pool: Pool, ...inputs: [AppendInput, ...AppendInput[]]) =>
    (await send(pool, ...inputs)).map(({ status }) => status);

  test('a refused input leaves no gap and does not hurt its neighbours', async () => {
    const id = await converse(db.pool, ['ann']);
    const missing = randomUUID();
    const results = await send(
      db.pool,
      message(id, 'ann'),
      message(id, 'eve'),
      message(missing, 'ann'),
      message(id, 'ann', { appId: 'b' }),
      message(id, 'ann'),
    );
    expect(results.map(({ status, seq }) => [status, seq])).toEqual([
      ['ok', 2],
      ['not_member', null],
      ['not_found', null],
      ['not_found', null],
      ['ok', 3],
    ]);
  });

  test('nothing written, no outbox row', async () => {
    const id = await converse(db.pool, ['ann']);
    await db.database.query('delete from outbox');
    expect(await statuses(db.pool, message(id, 'eve'), message(id, 'eva'))).toEqual(['not_member', 'not_member']);
    expect(await db.database.query('select 1 from outbox')).toEqual([]);
  });

  test('one clientMsgId twice in a call counts once; absent ones are never repeats', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    const clientMsgId = 'same';
    const call = [message(id, 'ann', { clientMsgId }), message(id, 'ann', { clientMsgId }), message(id, 'bob', { clientMsgId })] as const;
    // One after the other, the second is a duplicate of what is stored by then.
    expect(await statuses(db.pool, ...call)).toEqual(['ok', among === 0 ? 'duplicate' : 'repeat', 'ok']);
    expect(await statuses(db.pool, call[1], message(id, 'ann'))).toEqual(['duplicate', 'ok']);
    expect(await statuses(db.pool, message(id, 'ann', { clientMsgId: null }), message(id, 'ann', { clientMsgId: null }))).toEqual([
      'ok',
      'ok',
    ]);
    await assertLog(db.database, id);
  });

  test('slow mode: the first of a call is written; what follows a duplicate is not slowed by it', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    const old = message(id, 'bob');
    await send(db.pool, old);
    await db.database.query("update member set last_sent_at = now() - interval '1 hour' where conversation_id = $1", [id]);
    await db.database.query('update conversation set slow_mode_s = 60 where id = $1', [id]);
    const results = await send(db.pool, old, message(id, 'bob'), message(id, 'bob'), message(id, 'ann'), message(id, 'ann'));
    expect(results.map((result) => result.status)).toEqual(['duplicate', 'ok', 'slow_mode', 'ok', 'ok']);
    const retryAt = new Date(Date.parse(results[1]?.createdAt ?? '') + 60_000).toISOString();
    expect(results.map((result) => result.retryAt)).toEqual([null, null, retryAt, null, null]);
  });

  test('a membership change stands alone in its conversation; the others of that conversation come back', async () => {
    const id = await converse(db.pool, ['ann']);
    const other = await converse(db.pool, ['ann']);
    const put = change(id, 'ann', 'member.put', { userId: 'bob' });
    expect(await statuses(db.pool, put, message(id, 'ann'), message(other, 'ann'), put)).toEqual(['ok', 'repeat', 'ok', 'repeat']);
    expect(await statuses(db.pool, message(id, 'ann'), change(id, 'ann', 'member.put', { userId: 'cid' }))).toEqual(['ok', 'repeat']);
    // an input that is not this app's does not count as a neighbour
    const foreign = message(id, 'ann', { appId: 'b' });
    expect(await statuses(db.pool, foreign, change(id, 'ann', 'member.put', { userId: 'cid' }))).toEqual(['not_found', 'ok']);
    await assertLog(db.database, id);
  });

  test('the read position moves along the leading run of the sender who stood at the head', async () => {
    const id = await converse(db.pool, ['ann', 'bob', 'cid']);
    const results = await send(
      db.pool,
      message(id, 'eve'),
      message(id, 'ann'),
      message(id, 'ann'),
      message(id, 'bob'),
      message(id, 'ann'),
      message(id, 'bob'),
    );
    expect(results.map((result) => result.readSeq)).toEqual([null, 3, 3, 1, 3, 1]);
    expect(await readUpTo(db.pool, id, 'ann', 1)).toEqual({ status: 'unchanged', readSeq: 3, head: 6, unread: 2 });
    expect(await readUpTo(db.pool, id, 'bob', 1)).toEqual({ status: 'unchanged', readSeq: 1, head: 6, unread: 3 });
    expect(await readUpTo(db.pool, id, 'cid', 1)).toMatchObject({ unread: 5 });
  });

  test('a message on behalf ends the leading run', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    await send(db.pool, message(id, 'ann'), message(id, 'ann', { mode: 'on_behalf' }), message(id, 'ann'));
    expect(await readUpTo(db.pool, id, 'ann', 1)).toMatchObject({ readSeq: 2, head: 4, unread: 0 });
    expect(await readUpTo(db.pool, id, 'bob', 1)).toMatchObject({ unread: 3 });
  });

  test('bodies and ids come out as they went in', async () => {
    const id = await converse(db.pool, ['ann']);
    const hostile = '{"text":"\\"quote\\", back\\\\slash, {brace}, NULL, é 👍 \\u2028 \\n"}';
    const clientMsgId = 'a"b\\c{},NULL';
    await send(db.pool, message(id, 'ann', { body: hostile, clientMsgId }), message(id, 'ann', { body: hostile, clientMsgId: 'NULL' }));
    const rows = await db.database.query('select client_msg_id, body from entry where conversation_id = $1 and seq > 1 order by seq', [id]);
    expect(rows).toEqual([
      { client_msg_id: clientMsgId, body: JSON.parse(hostile) },
      { client_msg_id: 'NULL', body: JSON.parse(hostile) },
    ]);
  });

  test('an empty call does nothing', async () => {
    expect(await append(db.pool, { route: randomUUID(), outboxId: randomUUID(), inputs: [] })).toEqual([]);
  });
});
