import { type ClientEventName, clientEventSchemas, defaultLimits, type Problem, type Route } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Person } from '../protocol/support/world.ts';
import { routes, useArena } from './support/arena.ts';
import { sampleOf } from './support/schema-cases.ts';

/** Ids of others: what is forbidden must not be told from what is missing. */
const arena = useArena();

const missing = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
let eve: Person;
/** Conversations that Eve may not know of, each for another reason. */
let closed: Record<string, string> = {};

beforeAll(async () => {
  const { world } = arena;
  const [outsider] = await world.people('eve');
  eve = outsider;
  (await world.http.call('getUnread', { token: eve.token })).ok();
  const create = async (type: 'direct' | 'group' | 'channel', members: readonly Person[]) =>
    (await world.create(arena.alice, { type, members })).id;
  const left = await create('group', [eve]);
  const removed = await create('group', [eve]);
  const banned = await create('group', [eve]);
  (await world.http.call('removeMember', { token: eve.token, params: { conversationId: left, userId: 'me' } })).ok();
  (await world.http.call('removeMember', { token: arena.alice.token, params: { conversationId: removed, userId: eve.id } })).ok();
  await world.system.database.query(
    `update member set banned_until = now() + interval '1 hour' where conversation_id = $1 and user_id = $2`,
    [banned, eve.id],
  );
  closed = {
    'somebody else`s group': await create('group', []),
    'somebody else`s channel': await create('channel', [arena.bob]),
    'the conversation of two others': await create('direct', [arena.bob]),
    'a group she left': left,
    'a group she was removed from': removed,
    'a group she is banned from': banned,
  };
});

const withConversation = routes.filter(([, route]) => route.auth === 'user' && route.path.includes('{conversationId}'));
/** Whom a request names; `me` stands for oneself only where one leaves. */
const userIds = ({ method, path }: Route): Record<string, string> => ({
  herself: eve.id,
  'a member': arena.alice.id,
  ...(method === 'DELETE' && path.endsWith('/members/{userId}') ? { me: 'me' } : {}),
});

describe('a conversation that is not hers', () => {
  it.each(withConversation)('answers %s like one that does not exist, in status, headers and body', async (name, route: Route) => {
    const body = route.body === undefined ? undefined : sampleOf(route.body, arena.names);
    await arena.unharmed(async () => {
      for (const [who, userId] of Object.entries(userIds(route))) {
        const ask = async (conversationId: string) => {
          const answer = await arena.world.http.call(name, {
            token: eve.token,
            params: { ...arena.params, conversationId, userId },
            ...(body === undefined ? {} : { body }),
          });
          const problem: Problem = { ...answer.refused('not_found'), requestId: '' };
          const names = [...answer.headers.keys()].toSorted();
          return { problem, names, length: answer.text.length - (answer.headers.get('x-request-id') ?? '').length };
        };
        const expected = await ask(missing);
        for (const [what, conversationId] of Object.entries(closed)) expect(await ask(conversationId), `${what}, ${who}`).toEqual(expected);
        if (!route.path.includes('{userId}')) break;
      }
    });
  });

  it('answers a sync like one that does not exist, whatever the cursor', async () => {
    await arena.unharmed(async () => {
      for (const cursor of [{ after: 0 }, { after: 1 }, { after: 10_000 }, { after: 0, min: 10_000 }]) {
        const ids = [...Object.values(closed), missing];
        const answer = await arena.world.sync(eve, { conversations: Object.fromEntries(ids.map((id) => [id, cursor])) });
        for (const id of ids) expect(answer.conversations[id], id).toEqual({ error: { code: 'not_found', retryable: false } });
      }
    });
  });

  it('is on no list of hers and counts for nothing', async () => {
    const heads = (await arena.world.http.call('listHeads', { token: eve.token })).ok().items;
    for (const id of Object.values(closed)) expect(heads.map((head) => head.id)).not.toContain(id);
    expect((await arena.world.http.call('getUnread', { token: eve.token })).ok()).toEqual({ total: 0, mentions: 0 });
  });

  it('answers every event of the socket like one that does not exist', async () => {
    const events = Object.keys(clientEventSchemas(defaultLimits)) as ClientEventName[];
    const device = await arena.world.device(eve);
    const witness = await arena.world.device(arena.alice);
    await witness.ask('watch', { conversationIds: Object.values(closed) });
    await arena.unharmed(async () => {
      expect(events).toContain('watch');
      const ids = [...Object.values(closed), missing];
      const { heads, refused } = await device.ask('watch', { conversationIds: ids });
      expect(heads).toEqual({});
      expect(refused).toEqual(Object.fromEntries(ids.map((id) => [id, 'not_found'])));
      expect(await device.ask('unwatch', { conversationIds: ids })).toEqual({ ok: true });
      for (const conversationId of ids) device.tell('typing', { conversationId, active: true });
      await device.ask('presence.set', { status: 'online' });
    });
    // A key that comes after the typing would have come.
    const [own] = Object.values(closed);
    if (own === undefined) throw new Error('no conversation');
    const seq = await arena.world.send(arena.alice, own);
    await witness.reach(`c/${own}`, seq);
    expect(witness.heard('typing')).toEqual([]);
    const { id } = await arena.world.create(eve);
    await device.reach(`c/${id}`, await arena.world.send(eve, id));
    for (const closedId of Object.values(closed)) expect(device.position(`c/${closedId}`)).toBe(0);
  });
});

describe('fields that the server owns', () => {
  it('cannot be set by a client: what is stored is the server`s', async () => {
    const { world, alice, bob } = arena;
    const { id } = await world.create(alice, { members: [bob] });
    const body = {
      seq: 99,
      senderId: alice.id,
      createdAt: '1970-01-01T00:00:00.000Z',
      role: 'owner',
      type: 'member.updated',
      appId: 'two',
    };
    (await world.http.call('sendMessage', { token: bob.token, params: { conversationId: id }, body: { clientMsgId: 'x', body } })).ok(201);
    const [entry] = (await world.entries(bob, id, { after: 1 })).entries;
    expect(entry).toMatchObject({ seq: 2, senderId: bob.id, type: 'message', body });
    expect(Date.parse(entry?.createdAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
    for (const [name, value] of Object.entries(body)) {
      if (name === 'type') continue;
      const forged = { clientMsgId: 'y', body: {}, [name]: value };
      (await world.http.call('sendMessage', { token: bob.token, params: { conversationId: id }, body: forged })).refused('invalid_request');
    }
    expect((await world.entries(bob, id)).head).toBe(2);
  });
});
