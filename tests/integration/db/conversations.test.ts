import { randomUUID } from 'node:crypto';
import { createConversation, heads, hideDirect, memberList, memberPage, type NewConversation, type Pool } from '@nudge/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assertLog, converse, createFixture, type Fixture, message, sendOne } from './support/fixture.ts';

let db: Fixture;
let pool: Pool;
beforeAll(async () => {
  db = await createFixture();
  pool = db.pool;
});
afterAll(() => db[Symbol.asyncDispose]());

const conversation = (overrides: Partial<NewConversation> = {}): NewConversation => ({
  id: randomUUID(),
  appId: 'a',
  type: 'group',
  createdBy: 'ann',
  members: ['cid', 'bob'],
  title: 'Plans',
  metadata: '{"color":"red"}',
  history: 'since_join',
  outboxId: randomUUID(),
  ...overrides,
});
const outbox = () => db.database.query('delete from outbox returning kind, payload');

describe('createConversation', () => {
  test('conversation, members, first entry and outbox row', async () => {
    await outbox();
    const input = conversation();
    const made = await createConversation(pool, input);
    expect(made).toMatchObject({
      created: true,
      unhidden: false,
      conversation: {
        id: input.id,
        appId: 'a',
        type: 'group',
        title: 'Plans',
        createdBy: 'ann',
        lastSeq: 1,
        messageCount: 0,
        memberCount: 3,
        memberVersion: 1,
        history: 'since_join',
        oldestSeq: 1,
        frozenAt: null,
        slowModeSeconds: 0,
      },
      member: { userId: 'ann', role: 'owner', joinedSeq: 1, leftSeq: null, readSeq: 1, hiddenSeq: null, changedSeq: 1 },
    });
    expect(JSON.parse(made?.conversation.metadata ?? '')).toEqual({ color: 'red' });
    expect(
      await db.database.query('select seq::int, type, sender_id, body, countable from entry where conversation_id = $1', [input.id]),
    ).toEqual([
      {
        seq: 1,
        type: 'conversation.created',
        sender_id: '$system',
        countable: false,
        body: { type: 'group', by: 'ann', title: 'Plans', history: 'since_join', members: ['bob', 'cid'] },
      },
    ]);
    expect((await memberPage(pool, input.id, null, 10)).map((row) => [row.userId, row.role])).toEqual([
      ['ann', 'owner'],
      ['bob', 'member'],
      ['cid', 'member'],
    ]);
    expect(await outbox()).toEqual([{ kind: 'append', payload: { heads: [['a', input.id, 1]], created: input.id } }]);
    await assertLog(db.database, input.id);
  });

  test('again: the one that exists, unchanged, with no entry and no outbox row', async () => {
    const input = conversation();
    const first = await createConversation(pool, input);
    await outbox();
    const again = await createConversation(pool, { ...input, title: 'Other', createdBy: 'eve', members: [], outboxId: randomUUID() });
    expect(again).toEqual({ created: false, unhidden: false, conversation: first?.conversation, member: null });
    expect(await outbox()).toEqual([]);
  });

  test('doubled members and the creator among them count once', async () => {
    const input = conversation({ members: ['bob', 'ann', 'bob'], title: null, metadata: null });
    expect(await createConversation(pool, input)).toMatchObject({ conversation: { memberCount: 2, title: null, metadata: null } });
    const [row] = await db.database.query('select body from entry where conversation_id = $1', [input.id]);
    expect(row?.body).toEqual({ type: 'group', by: 'ann', history: 'since_join', members: ['bob'] });
  });

  test('a direct conversation has two members and no owner', async () => {
    const made = await createConversation(pool, conversation({ type: 'direct', members: ['bob'] }));
    expect(made?.member?.role).toBe('member');
  });
});

describe('hiding a direct conversation', () => {
  const hide = (conversationId: string, userId: string) =>
    hideDirect(pool, { route: conversationId, appId: 'a', conversationId, userId, outboxId: randomUUID() });
  const headOf = async (id: string, userId: string) => (await heads(pool, { appId: 'a', userId, ids: [id], limit: 1 }))[0];

  test('up to its head, for one side, said once', async () => {
    const id = await converse(pool, ['ann', 'bob'], { type: 'direct' });
    await sendOne(pool, message(id, 'bob'));
    await outbox();
    expect(await hide(id, 'ann')).toEqual({ hiddenSeq: 2 });
    expect(await hide(id, 'ann')).toEqual({ hiddenSeq: 2 });
    expect(await outbox()).toEqual([{ kind: 'hide', payload: { hidden: [['a', id, 'ann']] } }]);
    expect((await headOf(id, 'ann'))?.hidden).toBe(true);
    expect((await headOf(id, 'bob'))?.hidden).toBe(false);
    await sendOne(pool, message(id, 'bob'));
    expect(await headOf(id, 'ann')).toMatchObject({ lastSeq: 3, hidden: false, unread: 2 });
  });

  test('creating it again shows it', async () => {
    const input = conversation({ type: 'direct', members: ['bob'] });
    await createConversation(pool, input);
    await hide(input.id, 'ann');
    await outbox();
    const again = { ...input, outboxId: randomUUID() };
    expect(await createConversation(pool, { ...again, createdBy: 'bob', members: ['ann'] })).toMatchObject({
      created: false,
      unhidden: false,
    });
    expect(await createConversation(pool, again)).toMatchObject({ created: false, unhidden: true, member: { hiddenSeq: null } });
    expect(await outbox()).toEqual([{ kind: 'hide', payload: { hidden: [['a', input.id, 'ann']] } }]);
  });

  test('not a group, not for strangers', async () => {
    expect(await hide(await converse(pool, ['ann', 'bob']), 'ann')).toBeNull();
    expect(await hide(await converse(pool, ['ann', 'bob'], { type: 'direct' }), 'eve')).toBeNull();
    expect(await hide(randomUUID(), 'ann')).toBeNull();
  });
});

test('10,000 members: created, listed and written to', async () => {
  const members = Array.from({ length: 9_999 }, (_, index) => `user${String(index).padStart(5, '0')}`);
  const input = conversation({ members });
  const started = performance.now();
  expect(await createConversation(pool, input)).toMatchObject({ created: true, conversation: { memberCount: 10_000 } });
  const created = performance.now() - started;
  const list = await memberList(pool, input.id);
  expect(list).toMatchObject({ memberVersion: 1, memberCount: 10_000, lastSeq: 1, appId: 'a', type: 'group' });
  expect(list?.users).toEqual(['ann', ...members]);
  expect(await sendOne(pool, message(input.id, 'user09998'))).toMatchObject({ status: 'ok', seq: 2, memberCount: 10_000 });
  await assertLog(db.database, input.id);
  // Far above what it takes (README, "Measured"), far below what row-by-row inserts would.
  expect(created).toBeLessThan(5_000);
});
