import { memberList, membersChangedAt, membershipFeed, type Pool } from '@nudge/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertLog, change, converse, createFixture, type Fixture, message, readUpTo, sendOne } from './support/fixture.ts';

let db: Fixture;
let pool: Pool;
beforeAll(async () => {
  db = await createFixture();
  pool = db.pool;
});
afterAll(() => db[Symbol.asyncDispose]());

const put = (id: string, actor: string, userId: string, role?: string, mode: 'interactive' | 'admin' = 'interactive') =>
  sendOne(pool, change(id, actor, 'member.put', { userId, ...(role === undefined ? {} : { role }) }, { mode }));
const remove = (id: string, actor: string, userId: string, mode: 'interactive' | 'admin' = 'interactive') =>
  sendOne(pool, change(id, actor, 'member.remove', { userId }, { mode }));
const lastEntry = async (id: string) => {
  const [row] = await db.database.query(
    'select seq::int, type, sender_id, body from entry where conversation_id = $1 order by seq desc limit 1',
    [id],
  );
  return row;
};
const feedOf = async (conversationId: string, userId: string) => (await membershipFeed(pool, [{ appId: 'a', conversationId, userId }]))[0];

describe('member.put', () => {
  test('joins: an entry of the system, a row that starts at zero unread, a new version', async () => {
    const id = await converse(pool, ['ann']);
    await sendOne(pool, message(id, 'ann'));
    await db.database.query('delete from outbox');
    expect(await put(id, 'ann', 'bob')).toMatchObject({ status: 'ok', seq: 3, memberVersion: 2, memberCount: 2, readSeq: 2 });
    expect(await lastEntry(id)).toEqual({
      seq: 3,
      type: 'member.joined',
      sender_id: '$system',
      body: { userId: 'bob', role: 'member', by: 'ann' },
    });
    expect(await feedOf(id, 'bob')).toMatchObject({
      role: 'member',
      state: 'joined',
      joinedSeq: 3,
      leftSeq: null,
      srcVersion: 3,
      readSeq: 3,
    });
    expect(await readUpTo(pool, id, 'bob', 0)).toMatchObject({ readSeq: 3, unread: 0 });
    const outbox = await db.database.query('select payload from outbox');
    expect(outbox).toEqual([{ payload: { heads: [['a', id, 3]], members: [['a', id, 'bob']] } }]);
    await assertLog(db.database, id);
  });

  test('rejoins: a new range, nothing unread, nothing own', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    await sendOne(pool, message(id, 'ann'));
    await sendOne(pool, message(id, 'bob'));
    await remove(id, 'bob', 'bob');
    await sendOne(pool, message(id, 'ann'));
    expect(await put(id, 'ann', 'bob', 'moderator')).toMatchObject({ status: 'ok', seq: 6 });
    expect(await feedOf(id, 'bob')).toMatchObject({ role: 'moderator', state: 'joined', joinedSeq: 6, leftSeq: null, srcVersion: 6 });
    expect(await readUpTo(pool, id, 'bob', 0)).toMatchObject({ readSeq: 6, unread: 0 });
    const [row] = await db.database.query('select own_unread::int from member where conversation_id = $1 and user_id = $2', [id, 'bob']);
    expect(row).toEqual({ own_unread: 0 });
    await assertLog(db.database, id);
  });

  test('changes a role', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    expect(await put(id, 'ann', 'bob', 'moderator')).toMatchObject({ status: 'ok', seq: 2, memberCount: 2, memberVersion: 2 });
    expect(await lastEntry(id)).toMatchObject({ type: 'member.updated', body: { userId: 'bob', role: 'moderator', by: 'ann' } });
    expect(await feedOf(id, 'bob')).toMatchObject({ role: 'moderator', joinedSeq: 1, srcVersion: 2 });
  });

  test('unchanged: the same role, or none named', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    for (const role of [undefined, 'member']) {
      expect(await put(id, 'ann', 'bob', role)).toMatchObject({ status: 'unchanged', seq: null, memberVersion: 1, memberCount: 2 });
    }
    expect(await lastEntry(id)).toMatchObject({ seq: 1 });
  });

  test('who may: owners everything, moderators add members, members nothing', async () => {
    const id = await converse(pool, ['ann', 'mod', 'bob']);
    await put(id, 'ann', 'mod', 'moderator');
    expect(await put(id, 'mod', 'new1')).toMatchObject({ status: 'ok' });
    expect(await put(id, 'mod', 'new2', 'moderator')).toMatchObject({ status: 'forbidden', seq: null });
    expect(await put(id, 'mod', 'bob', 'moderator')).toMatchObject({ status: 'forbidden' });
    expect(await put(id, 'bob', 'new3')).toMatchObject({ status: 'forbidden' });
    expect(await put(id, 'bob', 'bob', 'owner')).toMatchObject({ status: 'forbidden' });
    expect(await put(id, 'eve', 'new3')).toMatchObject({ status: 'not_member' });
    expect(await put(id, 'ann', 'new4', 'owner')).toMatchObject({ status: 'ok' });
    await assertLog(db.database, id);
  });

  test('the integrator needs neither membership nor role', async () => {
    const id = await converse(pool, ['ann']);
    expect(await put(id, '$system', 'bob', 'owner', 'admin')).toMatchObject({ status: 'ok', readSeq: null });
    expect(await remove(id, '$system', 'ann', 'admin')).toMatchObject({ status: 'ok' });
    expect(await lastEntry(id)).toMatchObject({ type: 'member.left', body: { userId: 'ann', by: '$system', reason: 'removed' } });
  });

  test('not into a direct conversation, and not who is banned from it', async () => {
    const direct = await converse(pool, ['ann', 'bob'], { type: 'direct' });
    expect(await put(direct, 'ann', 'cid')).toMatchObject({ status: 'forbidden' });
    expect(await put(direct, '$system', 'cid', undefined, 'admin')).toMatchObject({ status: 'forbidden' });
    expect(await remove(direct, 'ann', 'ann')).toMatchObject({ status: 'forbidden' });
    const id = await converse(pool, ['ann', 'bob']);
    await remove(id, 'ann', 'bob');
    await db.database.query("update member set banned_until = now() + interval '1 hour' where conversation_id = $1 and user_id = 'bob'", [
      id,
    ]);
    expect(await put(id, 'ann', 'bob')).toMatchObject({ status: 'forbidden' });
    expect(await put(id, '$system', 'bob', undefined, 'admin')).toMatchObject({ status: 'forbidden' });
  });

  test('the last owner cannot be demoted while there is one', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    expect(await put(id, 'ann', 'ann', 'member')).toMatchObject({ status: 'last_owner', seq: null });
    await put(id, 'ann', 'bob', 'owner');
    expect(await put(id, 'bob', 'ann', 'member')).toMatchObject({ status: 'ok' });
    expect(await put(id, 'bob', 'bob', 'moderator')).toMatchObject({ status: 'last_owner' });
  });
});

describe('member.remove', () => {
  test('leaves: the entry says so, sends are over', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    expect(await remove(id, 'bob', 'bob')).toMatchObject({ status: 'ok', seq: 2, memberCount: 1, memberVersion: 2 });
    expect(await lastEntry(id)).toMatchObject({ type: 'member.left', body: { userId: 'bob', by: 'bob', reason: 'left' } });
    expect(await feedOf(id, 'bob')).toMatchObject({ state: 'left', leftSeq: 2, srcVersion: 2 });
    expect(await sendOne(pool, message(id, 'bob'))).toMatchObject({ status: 'not_member' });
    expect(await readUpTo(pool, id, 'bob', 2)).toMatchObject({ status: 'not_found', readSeq: null, head: null, unread: null });
    expect((await memberList(pool, id))?.users).toEqual(['ann']);
    await assertLog(db.database, id);
  });

  test('only who stands above', async () => {
    const id = await converse(pool, ['ann', 'mod', 'mod2', 'bob', 'bea']);
    await put(id, 'ann', 'mod', 'moderator');
    await put(id, 'ann', 'mod2', 'moderator');
    expect(await remove(id, 'bob', 'bea')).toMatchObject({ status: 'forbidden' });
    expect(await remove(id, 'mod', 'mod2')).toMatchObject({ status: 'forbidden' });
    expect(await remove(id, 'mod', 'ann')).toMatchObject({ status: 'forbidden' });
    expect(await remove(id, 'mod', 'bob')).toMatchObject({ status: 'ok' });
    expect(await lastEntry(id)).toMatchObject({ body: { userId: 'bob', by: 'mod', reason: 'removed' } });
    expect(await remove(id, 'ann', 'mod2')).toMatchObject({ status: 'ok' });
    expect(await remove(id, 'eve', 'ann')).toMatchObject({ status: 'not_member' });
  });

  test('unchanged: not a current member', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    expect(await remove(id, 'ann', 'eve')).toMatchObject({ status: 'unchanged', seq: null });
    await remove(id, 'ann', 'bob');
    expect(await remove(id, 'ann', 'bob')).toMatchObject({ status: 'unchanged', memberVersion: 2 });
  });

  test('the last owner stays while others do, and may close the door alone', async () => {
    const id = await converse(pool, ['ann', 'bob']);
    expect(await remove(id, 'ann', 'ann')).toMatchObject({ status: 'last_owner' });
    expect(await remove(id, '$system', 'ann', 'admin')).toMatchObject({ status: 'last_owner' });
    await remove(id, 'bob', 'bob');
    expect(await remove(id, 'ann', 'ann')).toMatchObject({ status: 'ok', memberCount: 0 });
    await assertLog(db.database, id);
  });
});

test('first members are those whose last change is the first entry, in pages', async () => {
  const id = await converse(pool, ['ann', 'bob', 'cid', 'dan']);
  await put(id, 'ann', 'eve');
  await remove(id, 'ann', 'cid');
  const first = await membersChangedAt(pool, id, 1, '', 2);
  expect(first.map((row) => row.userId)).toEqual(['ann', 'bob']);
  expect((await membersChangedAt(pool, id, 1, 'bob', 2)).map((row) => row.userId)).toEqual(['dan']);
});
