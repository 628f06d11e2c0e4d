import { headsPageSchema } from '@nudge/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, type SyncServer, type World } from './support/sync-server.ts';

interface Page {
  readonly items: readonly Record<string, unknown>[];
  readonly nextCursor?: string;
  readonly [more: string]: unknown;
}

let world: World;
let server: SyncServer;
beforeAll(async () => {
  world = await createWorld();
  server = await world.serve();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const get = (userId: string, id: string, path: string, appId = 'one') =>
  server.as(userId, appId).get<Page>(`/v1/sync/conversations/${id}${path}`);

async function everything(userId: string, id: string, path: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await get(userId, id, `${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    expect(status).toBe(200);
    found.push(...body.items);
    if (body.nextCursor === undefined || body.nextCursor === null) return found;
    cursor = body.nextCursor;
  }
}

test('receipts come page by page, counts leave the sender out', async () => {
  const id = await world.conversation(['ann', 'bob', 'cat', 'dan', 'eve']);
  const seq = await world.send(id, 'ann', 3);
  await world.database.query(
    `update member set read_seq = v.r, delivered_seq = v.d from (values ('bob', 4, 4), ('cat', 3, 4), ('dan', 1, 2)) v (u, r, d)
     where conversation_id = $1 and user_id = v.u`,
    [id],
  );
  await world.leave(id, 'eve');
  expect(await everything('dan', id, '/receipts?limit=2')).toEqual([
    { userId: 'ann', readSeq: 4, deliveredSeq: 4 },
    { userId: 'bob', readSeq: 4, deliveredSeq: 4 },
    { userId: 'cat', readSeq: 3, deliveredSeq: 4 },
    { userId: 'dan', readSeq: 1, deliveredSeq: 2 },
  ]);
  expect((await get('dan', id, `/receipts?seq=${seq}`)).body).toMatchObject({ readBy: 1, deliveredTo: 2 });
  expect((await get('dan', id, '/receipts?seq=2')).body).toMatchObject({ readBy: 2, deliveredTo: 3 });
  expect((await get('dan', id, '/receipts?seq=99')).body).toMatchObject({ status: 404, code: 'not_found' });
  expect((await get('dan', id, '/receipts?seq=0')).status).toBe(404);
});

test('reactions come page by page, of one emoji or all; none are left of a redacted message', async () => {
  const id = await world.conversation(['ann', 'bob', 'cat']);
  const seq = await world.send(id, 'ann');
  for (const [userId, emoji] of [
    ['ann', '👍'],
    ['bob', '👍'],
    ['cat', '🎉'],
    ['bob', '🎉'],
    ['cat', '👍'],
  ] as const)
    await world.act(id, userId, 'reaction.added', seq, { emoji });
  const path = `/entries/${seq}/reactions`;
  const all = await everything('cat', id, `${path}?limit=2`);
  expect(all.map(({ userId, emoji }) => `${userId} ${emoji}`).sort()).toEqual(['ann 👍', 'bob 🎉', 'bob 👍', 'cat 🎉', 'cat 👍']);
  const thumbs = await everything('cat', id, `${path}?limit=1&emoji=${encodeURIComponent('👍')}`);
  expect(thumbs.map(({ userId }) => userId)).toEqual(['ann', 'bob', 'cat']);
  expect((await get('cat', id, `/entries/${seq + 99}/reactions`)).status).toBe(404);
  expect((await get('cat', id, `${path}?emoji=x`)).status).toBe(400);
  for (const cursor of ['x', '', '1.zz.zz.ann', '1.zzzzzzzzz.8J-RjQ.a%27', `1.0.${Buffer.from('\0').toString('base64url')}.ann`])
    expect([cursor, (await get('cat', id, `${path}?cursor=${cursor}`)).body.code]).toEqual([cursor, 'invalid_request']);
  await world.act(id, 'ann', 'message.redacted', seq);
  expect((await get('cat', id, path)).body).toEqual({ items: [] });
});

test('pins come with the entries as they now stand, the newest pin first, with the own reactions', async () => {
  const id = await world.conversation(['ann', 'bob']);
  const [first, second] = [await world.say(id, 'ann', 'one'), await world.say(id, 'bob', 'two')];
  expect((await get('bob', id, '/pins')).body).toEqual({ items: [], mine: {} });
  for (const seq of [first, second]) await world.act(id, 'ann', 'message.pinned', seq);
  await world.database.query(`update pin set created_at = created_at - interval '1 second' where conversation_id = $1 and seq = $2`, [
    id,
    first,
  ]);
  await world.act(id, 'ann', 'message.edited', first, { text: 'one, edited' });
  await world.act(id, 'bob', 'reaction.added', first, { emoji: '👍' });
  const pins = (await get('bob', id, '/pins')).body;
  expect(pins).toMatchObject({
    items: [
      { entry: { seq: second, body: { text: 'two' }, pinned: true }, pinnedBy: 'ann', pinnedAt: expect.any(String) },
      { entry: { seq: first, body: { text: 'one, edited' }, pinned: true }, pinnedBy: 'ann' },
    ],
    mine: { [first]: ['👍'] },
  });
  expect((await get('ann', id, '/pins')).body.mine).toEqual({});
  await world.act(id, 'bob', 'message.redacted', second);
  expect((await get('bob', id, '/pins')).body.items).toMatchObject([{ entry: { seq: first } }]);
});

test('what lies before the own joining does not exist, and positions are shown from there on', async () => {
  const id = await world.conversation(['ann', 'bob'], { history: 'since_join' });
  const old = await world.send(id, 'ann', 4);
  await world.act(id, 'ann', 'reaction.added', old, { emoji: '👍' });
  await world.act(id, 'ann', 'message.pinned', old);
  const joined = await world.put(id, 'ann', 'dan');
  expect((await get('dan', id, `/entries/${old}/reactions`)).status).toBe(404);
  expect((await get('dan', id, `/receipts?seq=${old}`)).status).toBe(404);
  expect((await get('dan', id, '/pins')).body.items).toEqual([]);
  const { items } = (await get('dan', id, '/receipts')).body;
  for (const { readSeq, deliveredSeq } of items)
    expect([Number(readSeq) >= joined - 1, Number(deliveredSeq) >= joined - 1]).toEqual([true, true]);
  expect((await get('bob', id, `/entries/${old}/reactions`)).body.items).toMatchObject([{ userId: 'ann' }]);
});

test('strangers, other apps, former members and conversations that are not there get one answer', async () => {
  const id = await world.conversation(['ann', 'bob', 'cat']);
  const seq = await world.send(id, 'ann');
  await world.leave(id, 'cat');
  const nowhere = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
  for (const path of [
    '/receipts',
    `/receipts?seq=${seq}`,
    '/receipts?seq=999',
    `/entries/${seq}/reactions`,
    '/entries/999/reactions',
    '/pins',
  ]) {
    const answers = [
      await get('dan', id, path),
      await get('cat', id, path),
      await get('ann', id, path, 'two'),
      await get('ann', nowhere, path),
    ];
    for (const { status, body } of answers)
      expect([path, status, { ...body, requestId: '' }]).toEqual([path, 404, { ...answers[0]?.body, requestId: '' }]);
  }
});

test('heads say what a list shows: avatar, freeze, mentions, and that the last message is gone', async () => {
  const id = await world.conversation(['ann', 'bob']);
  await world.say(id, 'ann', 'canary for bob', { mentions: ['bob'] });
  const last = await world.say(id, 'ann', 'canary again', { mentions: ['bob'] });
  await world.act(id, 'ann', 'conversation.updated', null, { avatarUrl: 'https://example.org/a.png', frozen: true });
  const head = async () => headsPageSchema.parse((await server.as('bob').heads()).body).items.find((item) => item.id === id);
  const unread = async () => (await server.as('bob').get('/v1/me/unread')).body;
  const before = await unread();
  expect(await head()).toMatchObject({ avatarUrl: 'https://example.org/a.png', frozen: true, unread: 2, mentions: 2 });
  await world.act(id, 'ann', 'message.redacted', last);
  expect(await head()).toMatchObject({ unread: 2, mentions: 1, lastMessage: { seq: last, excerpt: '', redacted: true } });
  expect(await unread()).toEqual({ total: before.total, mentions: Number(before.mentions) - 1 });
});
