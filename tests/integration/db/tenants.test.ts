import { randomUUID } from 'node:crypto';
import {
  appEntriesAfter,
  applyFeed,
  createApp,
  createConversation,
  feedAfter,
  heads,
  hideDirect,
  joinedConversationIds,
  joinedCounts,
  markRead,
  membershipFeed,
  membershipPairs,
  type Pool,
  unknownUsers,
  unreadTotals,
  upsertUsers,
  usersByIds,
} from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { change, converse, createFixture, type Fixture, message, send, sendOne } from './support/fixture.ts';

/** Two apps with equal user ids; `mine` belongs to `a`, and everything below is asked by `b`. */
let db: Fixture;
let pool: Pool;
let mine: string;
let direct: string;
beforeAll(async () => {
  db = await createFixture();
  pool = db.pool;
  await createApp(pool, { id: 'b' });
  mine = await converse(pool, ['ann', 'bob']);
  direct = await converse(pool, ['ann', 'bob'], { type: 'direct' });
  await sendOne(pool, message(mine, 'ann'));
});
afterAll(() => db[Symbol.asyncDispose]());

const untouched = async (work: () => Promise<unknown>, expected: unknown) => {
  const state = () =>
    db.database.query(
      "select (select jsonb_agg(c order by c.id) from conversation c where c.app_id = 'a') as c, (select count(*) from outbox) as o, (select jsonb_agg(m order by m.conversation_id, m.user_id) from member m where m.app_id = 'a') as m",
    );
  const before = await state();
  expect(await work()).toEqual(expected);
  expect(await state()).toEqual(before);
};
const notFound = {
  status: 'not_found',
  seq: null,
  createdAt: null,
  memberVersion: null,
  memberCount: null,
  conversationType: null,
  retryAt: null,
  retryInMs: null,
  readSeq: null,
  touched: [],
};

test('append', async () => {
  await untouched(() => sendOne(pool, message(mine, 'ann', { appId: 'b' })), notFound);
  await untouched(() => send(pool, message(mine, 'ann', { appId: 'b' }), message(direct, 'bob', { appId: 'b' })), [notFound, notFound]);
  await untouched(() => sendOne(pool, change(mine, 'ann', 'member.put', { userId: 'eve' }, { appId: 'b' })), notFound);
  await untouched(() => sendOne(pool, change(mine, 'ann', 'member.remove', { userId: 'bob' }, { appId: 'b', mode: 'admin' })), notFound);
});

test('a mixed batch keeps each app to its own', async () => {
  const theirs = await converse(pool, ['ann', 'bob'], { appId: 'b' });
  const results = await send(
    pool,
    message(mine, 'ann', { appId: 'b' }),
    message(theirs, 'ann', { appId: 'b' }),
    message(theirs, 'ann'),
    message(mine, 'ann'),
  );
  expect(results.map((result) => result.status)).toEqual(['not_found', 'ok', 'not_found', 'ok']);
});

test('createConversation', async () => {
  const input = { appId: 'b', type: 'direct', createdBy: 'ann', members: ['bob'], title: null, metadata: null, history: 'full' } as const;
  await untouched(() => createConversation(pool, { ...input, id: mine, outboxId: randomUUID() }), null);
  await untouched(() => createConversation(pool, { ...input, id: direct, outboxId: randomUUID() }), null);
});

test('markRead and hideDirect', async () => {
  const inputs = [{ appId: 'b', conversationId: mine, userId: 'bob', seq: 2 }];
  await untouched(
    () => markRead(pool, { route: mine, outboxId: randomUUID(), inputs }),
    [{ status: 'not_found', readSeq: null, head: null, unread: null }],
  );
  await untouched(
    () => hideDirect(pool, { route: direct, conversationId: direct, appId: 'b', userId: 'ann', outboxId: randomUUID() }),
    null,
  );
});

test('membershipPairs, membershipFeed, heads and totals', async () => {
  const pair = { appId: 'b', conversationId: mine, userId: 'ann' };
  expect(await membershipPairs(pool, [pair])).toEqual([]);
  expect(await membershipFeed(pool, [pair])).toEqual([]);
  expect(await heads(pool, { appId: 'b', userId: 'ann', ids: [mine, direct], limit: 10 })).toEqual([]);
  expect(await unreadTotals(pool, { appId: 'b', userId: 'bob', ids: [mine] })).toEqual({ total: 0, mentions: 0 });
  expect(await membershipPairs(pool, [{ ...pair, appId: 'a' }])).toHaveLength(1);
});

test('feeds and users', async () => {
  await upsertUsers(pool, 'a', [{ id: 'ann', displayName: 'Ann of a' }]);
  await applyFeed(pool, [{ appId: 'a', userId: 'ann', subject: `member/${mine}`, srcVersion: 1, state: '{"state":"joined"}' }]);
  expect(await feedAfter(pool, 'b', 'ann', 0, 10)).toEqual({ version: 0, rows: [], more: false });
  expect(await joinedConversationIds(pool, 'b', 'ann')).toEqual([]);
  expect(await joinedCounts(pool, 'b', ['ann'])).toEqual(new Map([['ann', 0]]));
  expect(await unknownUsers(pool, 'b', ['ann'])).toEqual(['ann']);
  expect(await usersByIds(pool, 'b', ['ann'])).toEqual([]);
  expect(await appEntriesAfter(pool, 'b', 0, 10)).toEqual({ lastSeq: 0, rows: [], more: false });
});
