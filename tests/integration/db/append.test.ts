import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertLog, converse, createFixture, type Fixture, message, readUpTo, send, sendOne } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

/** Every judgement holds for a message by itself (`append_one`), with one other (`append_few`) and among many (`append_entries_v2`). */
describe.each([
  ['append_one', 0],
  ['append_few', 1],
  ['append_entries_v2', 5],
] as const)('%s', (path, others) => {
  const judge = async (input: ReturnType<typeof message>) => {
    if (path === 'append_one') return sendOne(db.pool, input);
    const other = await converse(db.pool, ['someone']);
    const [, ...results] = await send(
      db.pool,
      message(other, 'someone'),
      ...Array.from({ length: others - 1 }, () => message(other, 'someone')),
      input,
    );
    const result = results.at(-1);
    if (result === undefined) throw new Error('one result per input');
    return result;
  };
  const set = (sql: string, id: string) =>
    db.database.query(`update ${sql} where ${sql.startsWith('member') ? 'conversation_id' : 'id'} = $1`, [id]);

  test('ok: the next seq, the time, the version of the member list, the own read position', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    const first = await judge(message(id, 'ann'));
    expect(first).toEqual({
      status: 'ok',
      seq: 2,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      memberVersion: 1,
      memberCount: 2,
      conversationType: 'group',
      retryAt: null,
      retryInMs: null,
      readSeq: 2,
      touched: [],
    });
    expect(await judge(message(id, 'bob'))).toMatchObject({ status: 'ok', seq: 3, readSeq: 1 });
    await assertLog(db.database, id);
  });

  test('not_found: no such conversation, or another app’s', async () => {
    const id = await converse(db.pool, ['ann']);
    const nothing = { seq: null, createdAt: null, memberVersion: null, memberCount: null, conversationType: null, readSeq: null };
    expect(await judge(message('00000000-0000-7000-8000-000000000000', 'ann'))).toMatchObject({ status: 'not_found', ...nothing });
    expect(await judge(message(id, 'ann', { appId: 'b' }))).toMatchObject({ status: 'not_found', ...nothing });
  });

  test('duplicate and conflict: before membership, ban and mute are looked at', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    const first = await judge(message(id, 'bob', { clientMsgId: 'k' }));
    await set("member set left_seq = 9, banned_until = 'infinity'", id);
    const { seq, createdAt } = first;
    expect(await judge(message(id, 'bob', { clientMsgId: 'k' }))).toMatchObject({ status: 'duplicate', seq, createdAt, readSeq: 2 });
    expect(await judge(message(id, 'bob', { clientMsgId: 'k', text: 'other' }))).toMatchObject({ status: 'conflict', seq });
    expect(await judge(message(id, 'ann', { clientMsgId: 'k' }))).toMatchObject({ status: 'not_member' });
  });

  test('not_member: never was, or has left', async () => {
    const id = await converse(db.pool, ['ann']);
    expect(await judge(message(id, 'eve'))).toMatchObject({ status: 'not_member', readSeq: null });
    await set('member set left_seq = 1', id);
    for (const mode of ['interactive', 'scheduled', 'on_behalf', 'admin'] as const) {
      expect(await judge(message(id, 'ann', { mode })), mode).toMatchObject({ status: 'not_member' });
    }
  });

  test('forbidden: a member of a channel; not its owner, not on behalf', async () => {
    const id = await converse(db.pool, ['ann', 'bob'], { type: 'channel' });
    expect(await judge(message(id, 'bob'))).toMatchObject({ status: 'forbidden' });
    expect(await judge(message(id, 'bob', { mode: 'scheduled' }))).toMatchObject({ status: 'forbidden' });
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'ok' });
    expect(await judge(message(id, 'bob', { mode: 'on_behalf' }))).toMatchObject({ status: 'ok' });
  });

  test('banned: in every mode, until the ban ends', async () => {
    const id = await converse(db.pool, ['ann']);
    await set("member set banned_until = now() + interval '1 hour', muted_until = now() + interval '1 hour'", id);
    for (const mode of ['interactive', 'scheduled', 'on_behalf'] as const) {
      expect(await judge(message(id, 'ann', { mode })), mode).toMatchObject({ status: 'banned' });
    }
    await set("member set banned_until = now() - interval '1 s', muted_until = null", id);
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'ok' });
  });

  test('frozen: members wait, owners speak, the integrator speaks for anyone', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    await set('conversation set frozen_at = now()', id);
    expect(await judge(message(id, 'bob'))).toMatchObject({ status: 'frozen' });
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'ok' });
    expect(await judge(message(id, 'bob', { mode: 'on_behalf' }))).toMatchObject({ status: 'ok' });
  });

  test('muted: interactive and scheduled, until it ends', async () => {
    const id = await converse(db.pool, ['ann']);
    await set("member set muted_until = now() + interval '1 hour'", id);
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'muted' });
    expect(await judge(message(id, 'ann', { mode: 'scheduled' }))).toMatchObject({ status: 'muted' });
    expect(await judge(message(id, 'ann', { mode: 'on_behalf' }))).toMatchObject({ status: 'ok' });
  });

  test('slow_mode: says when, also of what was scheduled, spares owners and who speaks on behalf', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    await set('conversation set slow_mode_s = 60', id);
    const { createdAt } = await judge(message(id, 'bob'));
    const retryAt = new Date(Date.parse(createdAt ?? '') + 60_000).toISOString();
    const slowed = await judge(message(id, 'bob'));
    expect(slowed).toMatchObject({ status: 'slow_mode', seq: null, retryAt });
    expect(slowed.retryInMs).toBeGreaterThan(30_000);
    expect(slowed.retryInMs).toBeLessThanOrEqual(60_000);
    expect(await judge(message(id, 'bob', { mode: 'scheduled' }))).toMatchObject({ status: 'slow_mode', retryAt });
    expect(await judge(message(id, 'bob', { mode: 'on_behalf' }))).toMatchObject({ status: 'ok', retryAt: null });
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'ok' });
    expect(await judge(message(id, 'ann'))).toMatchObject({ status: 'ok' });
    await set("member set last_sent_at = now() - interval '61 s'", id);
    expect(await judge(message(id, 'bob'))).toMatchObject({ status: 'ok' });
  });

  test('on behalf and scheduled never move the read position and count as own', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    expect(await judge(message(id, 'ann', { mode: 'on_behalf' }))).toMatchObject({ seq: 2, readSeq: 1 });
    expect(await judge(message(id, 'ann', { mode: 'scheduled' }))).toMatchObject({ seq: 3, readSeq: 1 });
    expect(await readUpTo(db.pool, id, 'ann', 1)).toEqual({ status: 'unchanged', readSeq: 1, head: 3, unread: 0 });
    expect(await readUpTo(db.pool, id, 'bob', 1)).toMatchObject({ unread: 2 });
  });

  test('an entry that does not count moves the log, not the numbers', async () => {
    const id = await converse(db.pool, ['ann', 'bob']);
    await judge(message(id, 'ann', { type: 'custom.poll', countable: false }));
    expect(await readUpTo(db.pool, id, 'bob', 1)).toMatchObject({ head: 2, unread: 0 });
    expect(await judge(message(id, 'bob'))).toMatchObject({ seq: 3, readSeq: 1 });
    expect(await readUpTo(db.pool, id, 'bob', 1)).toMatchObject({ unread: 0 });
    expect(await readUpTo(db.pool, id, 'ann', 1)).toMatchObject({ readSeq: 2, unread: 1 });
    await assertLog(db.database, id);
  });

  test('an absent clientMsgId is never a repeat', async () => {
    const id = await converse(db.pool, ['ann']);
    expect(await judge(message(id, 'ann', { clientMsgId: null }))).toMatchObject({ status: 'ok', seq: 2 });
    expect(await judge(message(id, 'ann', { clientMsgId: null }))).toMatchObject({ status: 'ok', seq: 3 });
  });
});

test('one outbox row, with the id of the caller, names the new head', async () => {
  const id = await converse(db.pool, ['ann']);
  await db.database.query('delete from outbox');
  await sendOne(db.pool, message(id, 'ann'));
  await sendOne(db.pool, message(id, 'eve'));
  const rows = await db.database.query('select conversation_id, kind, payload, attempts from outbox');
  expect(rows).toEqual([{ conversation_id: id, kind: 'append', payload: { heads: [['a', id, 2]] }, attempts: 0 }]);
});
