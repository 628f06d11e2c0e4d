import { type Entry, entryTypes, systemBodySchemas } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { useWorld } from './support/world.ts';

const world = useWorld();

/** Present members and roles, folded from the log as PROTOCOL.md says. */
function fold(entries: readonly Pick<Entry, 'type' | 'body'>[]): Record<string, string> {
  const roles: Record<string, string> = {};
  for (const { type, body } of entries) {
    if (type === 'conversation.created') {
      const { by, members } = systemBodySchemas[type].parse(body);
      for (const member of members) roles[member] = 'member';
      roles[by] = 'owner';
    } else if (type === 'member.joined' || type === 'member.updated') {
      const { userId, role } = systemBodySchemas[type].parse(body);
      if (role) roles[userId] = role;
      if (type === 'member.updated') {
        const { transfer, by } = systemBodySchemas[type].parse(body);
        if (transfer) Object.assign(roles, { [userId]: 'owner', [by]: 'moderator' });
      }
    } else if (type === 'member.left') {
      delete roles[systemBodySchemas[type].parse(body).userId];
    }
  }
  return roles;
}

describe('entries', () => {
  it('tell a conversation`s whole life, and folding them gives the present members and roles', async () => {
    const [ann, bob, cho, dan] = await world.people('ann', 'bob', 'cho', 'dan');
    const { id } = await world.create(ann, { members: [bob], title: 'team' });
    const member = (method: 'putMember' | 'removeMember', by: typeof ann, userId: string, body?: object) =>
      world.http.call(method, { token: by.token, params: { conversationId: id, userId }, ...(body === undefined ? {} : { body }) });
    await member('putMember', ann, cho.id);
    await member('putMember', ann, dan.id, { role: 'moderator' });
    await member('putMember', ann, bob.id, { role: 'owner' });
    await member('removeMember', dan, cho.id);
    await member('removeMember', bob, 'me');
    await world.send(ann, id, 'bye');

    const { entries } = await world.entries(ann, id, { after: 0 });
    expect(entries.map(({ type, senderId, body }) => ({ type, senderId, body }))).toEqual([
      {
        type: 'conversation.created',
        senderId: '$system',
        body: { type: 'group', by: ann.id, title: 'team', history: 'full', members: [bob.id] },
      },
      { type: 'member.joined', senderId: '$system', body: { userId: cho.id, role: 'member', by: ann.id } },
      { type: 'member.joined', senderId: '$system', body: { userId: dan.id, role: 'moderator', by: ann.id } },
      { type: 'member.updated', senderId: '$system', body: { userId: bob.id, role: 'owner', by: ann.id } },
      { type: 'member.left', senderId: '$system', body: { userId: cho.id, by: dan.id, reason: 'removed' } },
      { type: 'member.left', senderId: '$system', body: { userId: bob.id, by: bob.id, reason: 'left' } },
      { type: 'message', senderId: ann.id, body: { text: 'bye' } },
    ]);
    for (const { type, body } of entries) {
      expect(entryTypes).toContain(type);
      if (type in systemBodySchemas) systemBodySchemas[type as keyof typeof systemBodySchemas].parse(body);
    }
    const { items } = (await world.http.call('listMembers', { token: ann.token, params: { conversationId: id } })).ok();
    expect(fold(entries)).toEqual(Object.fromEntries(items.map(({ userId, role }) => [userId, role])));
  });

  it('carry the clientMsgId of a message, and have the same text for every viewer on every path', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const send = { token: ann.token, params: { conversationId: id }, body: { clientMsgId: 'mine-1', body: { text: 'x', n: 1 } } };
    const { createdAt } = (await world.http.call('sendMessage', send)).ok(201);
    const expected = { seq: 2, type: 'message', senderId: ann.id, createdAt, clientMsgId: 'mine-1', body: { text: 'x', n: 1 } };
    for (const reader of [ann, bob]) {
      expect((await world.entries(reader, id)).entries[1]).toEqual(expected);
      expect((await world.entries(reader, id, { after: 1 })).entries[0]).toEqual(expected);
      expect((await world.entries(reader, id, { before: 3, limit: 1 })).entries[0]).toEqual(expected);
      expect((await world.sync(reader, { conversations: { [id]: { after: 1 } } })).conversations[id]).toMatchObject({
        entries: [expected],
      });
    }
    const texts = await Promise.all(
      [ann, bob].map(async ({ token }) => (await world.http.call('listEntries', { token, params: { conversationId: id } })).text),
    );
    expect(texts[0]).toBe(texts[1]);
  });

  it('never change and never go: a seq read twice is the same entry', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 3);
    const first = (await world.entries(ann, id, { after: 0 })).entries;
    (await world.http.call('removeMember', { token: ann.token, params: { conversationId: id, userId: bob.id } })).ok();
    await world.sendMany(ann, id, 3);
    expect((await world.entries(ann, id, { after: 0 })).entries.slice(0, first.length)).toEqual(first);
  });
});
