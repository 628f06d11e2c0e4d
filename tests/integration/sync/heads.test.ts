import { headsPageSchema } from '@nudge/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, type SyncServer, type World } from './support/sync-server.ts';

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

test('heads come newest activity first, page by page, each once, with exact unread counts', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 7; i += 1) ids.push(await world.conversation(['ann', 'bob']));
  for (const [i, id] of ids.entries()) if (i > 0) await world.send(id, 'ann', i);
  const found: { id: string; unread: number }[] = [];
  let cursor = '';
  do {
    const { body } = await server.as('bob').heads(`?limit=3${cursor && `&cursor=${cursor}`}`);
    const page = headsPageSchema.parse(body);
    found.push(...page.items);
    cursor = page.nextCursor ?? '';
  } while (cursor !== '');
  expect(found.map(({ id, unread }) => [id, unread])).toEqual(ids.map((id, i) => [id, i]).reverse());
  expect((await server.as('bob').get('/v1/me/unread')).body).toEqual({ total: 21, mentions: 0 });
  expect((await server.as('ann').get('/v1/me/unread')).body).toEqual({ total: 0, mentions: 0 });
  expect((await server.as('nobody').get('/v1/me/unread')).body).toEqual({ total: 0, mentions: 0 });
  expect((await server.as('bob', 'two').heads()).body.items).toEqual([]);
});

test('conversations with activity in the same millisecond are neither skipped nor doubled between pages', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(await world.conversation(['cat']));
  await world.database.query(`update conversation set last_entry_at = '2026-01-01T00:00:00.123Z' where id = any ($1)`, [ids]);
  const found: string[] = [];
  for (let cursor: string | null | undefined = ''; cursor !== undefined && cursor !== null; ) {
    const { body } = await server.as('cat').heads(`?limit=2${cursor && `&cursor=${cursor}`}`);
    found.push(...body.items.map(({ id }) => id));
    cursor = body.nextCursor;
  }
  expect(found).toEqual([...ids].sort().reverse());
});

test('only what was active since a time is listed when a time is named', async () => {
  const [old, recent] = [await world.conversation(['dan']), await world.conversation(['dan'])];
  await world.database.query(`update conversation set last_entry_at = '2026-01-01T00:00:00Z' where id = $1`, [old]);
  const list = async (since: string) => (await server.as('dan').sync({ heads: { since } })).body.heads?.items.map(({ id }) => id);
  expect(await list('2026-01-01T00:00:00.001Z')).toEqual([recent]);
  expect(await list('2026-01-01T00:00:00Z')).toEqual([recent, old]);
  expect(await list('0000-01-01T00:00:00Z')).toEqual([recent, old]);
  expect(await list('9999-12-31T23:59:59.999999999Z')).toEqual([]);
});

test('a conversation one has left gives nothing, a hidden one is marked until something is said', async () => {
  const [left, hidden] = [await world.conversation(['bob', 'eve']), await world.conversation(['eve', 'bob'], { type: 'direct' })];
  await world.send(left, 'bob');
  await world.leave(left, 'eve');
  await world.send(hidden, 'bob');
  await world.database.query('update member set hidden_seq = 2 where conversation_id = $1 and user_id = $2', [hidden, 'eve']);
  const heads = async () => (await server.as('eve').heads()).body.items;
  expect(await heads()).toMatchObject([{ id: hidden, type: 'direct', member: { role: 'member', hidden: true } }]);
  await world.send(hidden, 'bob');
  expect(await heads()).toMatchObject([{ id: hidden, unread: 2, member: { hidden: false }, lastMessage: { seq: 3, senderId: 'bob' } }]);
});

test.each(['nonsense', '', 'MS4xLjE', '%00', 'A'.repeat(200), 'A'.repeat(201)])('the cursor %j is refused', async (cursor) => {
  expect(await server.as('ann').heads(`?cursor=${cursor}`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  expect(await server.as('ann').sync({ heads: { cursor } })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});
