import { markRead } from '@nudge/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actor, storedLog } from './support/acts.ts';
import { assertLog, converse, createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const FUTURE = '2100-01-01T00:00:00.000Z';
const PAST = '2000-01-01T00:00:00.000Z';

async function group(...others: string[]) {
  const id = await converse(db.pool, ['ann', 'mod', 'bob', ...others]);
  const as = (userId: string) => actor(db.pool, id, userId);
  await as('ann').member('put', 'mod', { role: 'moderator' });
  return { id, as, last: async () => (await storedLog(db.database, id)).at(-1), member: (userId: string) => memberRow(id, userId) };
}

async function memberRow(id: string, userId: string) {
  const [row] = await db.database.query(
    `select role, joined_seq::int, left_seq::int, changed_seq::int, muted_until, banned_until::text from member
     where conversation_id = $1 and user_id = $2`,
    [id, userId],
  );
  return row;
}

const admin = { senderId: '$system', mode: 'admin' } as const;

describe('member.transfer', () => {
  test('makes the one owner and the other moderator, in one entry', async () => {
    const { id, as, last, member } = await group();
    const result = await as('ann').member('transfer', 'bob');
    expect(result).toMatchObject({ status: 'ok', seq: 3, memberVersion: 3, memberCount: 3 });
    expect(result.touched.toSorted()).toEqual(['ann', 'bob']);
    expect(await last()).toMatchObject({
      type: 'member.updated',
      sender_id: '$system',
      body: { userId: 'bob', role: 'owner', by: 'ann', transfer: true },
    });
    expect(await member('bob')).toMatchObject({ role: 'owner', changed_seq: 3 });
    expect(await member('ann')).toMatchObject({ role: 'moderator', changed_seq: 3 });
    const [{ payload } = {}] = await db.database.query(
      `select payload from outbox where conversation_id = $1 order by created_at desc, payload::text desc limit 1`,
      [id],
    );
    expect(payload).toEqual({
      heads: [['a', id, 3]],
      members: expect.arrayContaining([
        ['a', id, 'ann'],
        ['a', id, 'bob'],
      ]),
    });
    await assertLog(db.database, id);
  });

  test('by an owner, to a current member', async () => {
    const { as, last } = await group();
    expect(await as('mod').member('transfer', 'bob')).toMatchObject({ status: 'forbidden', touched: [] });
    expect(await as('ann').member('transfer', 'eve')).toMatchObject({ status: 'target_missing' });
    expect(await as('ann').member('transfer', 'ann')).toMatchObject({ status: 'unchanged' });
    expect(await as('ann').member('transfer', 'bob', {}, admin)).toMatchObject({ status: 'ok', touched: ['bob'] });
    expect((await last())?.body).toEqual({ userId: 'bob', role: 'owner', by: '$system' });
  });
});

describe('member.mute', () => {
  test('until a time, and no more', async () => {
    const { as, last, member } = await group();
    expect(await as('mod').member('mute', 'bob', { until: FUTURE })).toMatchObject({ status: 'ok', touched: ['bob'], memberVersion: 3 });
    expect((await last())?.body).toEqual({ userId: 'bob', by: 'mod', mutedUntil: FUTURE });
    expect(await member('bob')).toMatchObject({ muted_until: new Date(FUTURE), changed_seq: 3 });
    expect(await as('mod').member('mute', 'bob', { until: FUTURE })).toMatchObject({ status: 'unchanged' });
    expect(await as('ann').member('mute', 'bob', { until: PAST })).toMatchObject({ status: 'ok' });
    expect((await last())?.body).toEqual({ userId: 'bob', by: 'ann', mutedUntil: null });
    expect(await member('bob')).toMatchObject({ muted_until: null });
    expect(await as('ann').member('mute', 'bob', { until: null })).toMatchObject({ status: 'unchanged' });
    expect(await as('ann').member('mute', 'bob', { until: 'infinity' })).toMatchObject({ status: 'ok' });
    expect((await last())?.body).toEqual({ userId: 'bob', by: 'ann', mutedUntil: '9999-12-31T23:59:59.999Z' });
  });

  test('only who stands above, a current member', async () => {
    const { as } = await group();
    expect(await as('bob').member('mute', 'mod', { until: FUTURE })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('mute', 'ann', { until: FUTURE })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('mute', 'mod', { until: FUTURE })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('mute', 'eve', { until: FUTURE })).toMatchObject({ status: 'target_missing' });
    expect(await as('mod').member('mute', 'ann', { until: FUTURE }, admin)).toMatchObject({ status: 'ok' });
  });
});

describe('member.ban', () => {
  test('of a member: leaves, for ever', async () => {
    const { id, as, last, member } = await group();
    expect(await as('mod').member('ban', 'bob', { until: null })).toMatchObject({ status: 'ok', touched: ['bob'], memberCount: 2 });
    expect(await last()).toMatchObject({ type: 'member.left', body: { userId: 'bob', by: 'mod', reason: 'banned' } });
    expect((await last())?.body).not.toHaveProperty('bannedUntil');
    expect(await member('bob')).toMatchObject({ left_seq: 3, changed_seq: 3, banned_until: 'infinity' });
    expect(await as('ann').member('put', 'bob')).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('ban', 'bob', { until: null })).toMatchObject({ status: 'unchanged' });
    expect(await as('mod').member('ban', 'bob', { until: FUTURE })).toMatchObject({ status: 'ok' });
    expect(await last()).toMatchObject({ type: 'member.updated', body: { userId: 'bob', by: 'mod', banned: true, bannedUntil: FUTURE } });
    expect(await member('bob')).toMatchObject({ left_seq: 3, changed_seq: 4 });
    await assertLog(db.database, id);
  });

  test('of who is no member: keeps out; ends by unban', async () => {
    const { id, as, last, member } = await group();
    expect(await as('mod').member('unban', 'eve')).toMatchObject({ status: 'unchanged' });
    expect(await as('mod').member('ban', 'eve', { until: FUTURE })).toMatchObject({ status: 'ok', touched: ['eve'], memberCount: 3 });
    expect(await member('eve')).toMatchObject({ joined_seq: 0, left_seq: 0 });
    expect(await as('ann').member('put', 'eve')).toMatchObject({ status: 'forbidden' });
    expect(await as('bob').member('unban', 'eve')).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('unban', 'eve')).toMatchObject({ status: 'ok', touched: ['eve'] });
    expect((await last())?.body).toEqual({ userId: 'eve', by: 'mod', banned: false });
    expect(await as('mod').member('put', 'eve')).toMatchObject({ status: 'ok', memberCount: 4 });
    await assertLog(db.database, id);
  });

  test('ends by itself; who comes back has nothing unread', async () => {
    const { id, as, member } = await group();
    await as('ann').member('ban', 'bob', { until: FUTURE });
    await as('ann').say('meanwhile');
    await db.database.query(`update member set banned_until = now() where conversation_id = $1 and user_id = 'bob'`, [id]);
    expect(await as('mod').member('put', 'bob')).toMatchObject({ status: 'ok', seq: 5 });
    expect(await member('bob')).toMatchObject({ joined_seq: 5, left_seq: null, banned_until: null });
    const inputs = [{ appId: 'a', conversationId: id, userId: 'bob', seq: 1 }];
    expect(await markRead(db.pool, { route: id, outboxId: crypto.randomUUID(), inputs })).toMatchObject([{ unread: 0 }]);
    await as('bob').say('back');
    await assertLog(db.database, id);
  });

  test('only who stands above, and not the last owner', async () => {
    const { as } = await group();
    expect(await as('bob').member('ban', 'eve', { until: null })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('ban', 'ann', { until: null })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('ban', 'mod', { until: null })).toMatchObject({ status: 'forbidden' });
    expect(await as('mod').member('ban', 'ann', { until: null }, admin)).toMatchObject({ status: 'last_owner' });
    expect(await as('mod').member('ban', 'bob', { until: PAST })).toMatchObject({ status: 'unchanged' });
  });
});

test.each(['put', 'remove', 'transfer', 'mute', 'ban', 'unban'])('member.%s: not in a direct conversation', async (kind) => {
  const id = await converse(db.pool, ['ann', 'bob'], { type: 'direct' });
  for (const fields of [{}, admin])
    expect(await actor(db.pool, id, 'ann').member(kind, 'bob', { until: FUTURE }, fields)).toMatchObject({
      status: 'forbidden',
      touched: [],
    });
});

describe('conversation.updated', () => {
  const state = async (id: string) => {
    const [row] = await db.database.query(
      `select title, avatar_url, metadata, frozen_at is not null as frozen, slow_mode_s, retention_s from conversation where id = $1`,
      [id],
    );
    return row;
  };

  test('only what differs is written and named', async () => {
    const { id, as, last } = await group();
    const wanted = {
      title: 'T',
      avatarUrl: 'https://x/y',
      metadata: { a: null },
      slowModeSeconds: 5,
      frozen: false,
      retentionSeconds: null,
    };
    expect(await as('mod').update(wanted)).toMatchObject({ status: 'ok', seq: 3, memberVersion: 2, touched: [] });
    expect(await last()).toMatchObject({ type: 'conversation.updated', sender_id: '$system' });
    const { frozen: _, retentionSeconds: __, ...named } = wanted;
    expect((await last())?.body).toEqual({ by: 'mod', ...named });
    expect(await as('mod').update(wanted)).toMatchObject({ status: 'unchanged', seq: null });
    expect(await as('mod').update({ title: '', metadata: {}, avatarUrl: null })).toMatchObject({ status: 'ok' });
    expect((await last())?.body).toEqual({ by: 'mod', title: null, metadata: null });
    expect(await state(id)).toEqual({
      title: null,
      avatar_url: 'https://x/y',
      metadata: null,
      frozen: false,
      slow_mode_s: 5,
      retention_s: 0,
    });
    expect(await as('ann').update({})).toMatchObject({ status: 'unchanged' });
    await assertLog(db.database, id);
  });

  test('freezing is a change that gateways have to hear of', async () => {
    const { id, as } = await group();
    expect(await as('mod').update({ frozen: true })).toMatchObject({ status: 'ok', memberVersion: 3 });
    expect(await as('mod').update({ frozen: true })).toMatchObject({ status: 'unchanged', memberVersion: 3 });
    expect(await as('bob').react(1, '👍')).toMatchObject({ status: 'target_invalid' });
    await expect(as('bob').say('x')).rejects.toThrow('frozen');
    expect(await state(id)).toMatchObject({ frozen: true });
    expect(await as('ann').update({ frozen: false, retentionSeconds: 60 })).toMatchObject({ status: 'ok', memberVersion: 4 });
    expect(await state(id)).toMatchObject({ frozen: false, retention_s: 60 });
  });

  test('a direct conversation: metadata and retention, by its members; what the integrator likes', async () => {
    const id = await converse(db.pool, ['ann', 'bob'], { type: 'direct' });
    const bob = actor(db.pool, id, 'bob');
    expect(await bob.update({ metadata: { a: 1 }, retentionSeconds: 60, title: null })).toMatchObject({ status: 'ok' });
    expect(await bob.update({ title: 'x', metadata: { a: 2 } })).toMatchObject({ status: 'forbidden' });
    expect(await bob.update({ frozen: true })).toMatchObject({ status: 'forbidden' });
    expect(await actor(db.pool, id, 'eve').update({ metadata: {} })).toMatchObject({ status: 'not_member' });
    expect(await bob.update({ frozen: true }, admin)).toMatchObject({ status: 'ok' });
  });
});
