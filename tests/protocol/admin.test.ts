import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { range, useWorld } from './support/world.ts';

const world = useWorld();

const admin = <Name extends 'upsertUsers' | 'mintToken' | 'adminCreateConversation'>(
  name: Name,
  body: unknown,
  params: Record<string, string> = {},
) => world.http.call(name, { token: world.system.app.serverKey, params, body });

describe('POST /v1/admin/users', () => {
  it('creates and updates, up to a thousand at once', async () => {
    const users = range(1, 1_000).map((n) => ({ id: `bulk-${n}`, displayName: `User ${n}`, metadata: { n } }));
    expect((await admin('upsertUsers', { users })).ok(200)).toEqual({ count: 1_000 });
    expect((await admin('upsertUsers', { users: [{ id: 'bulk-1', displayName: 'Another name' }] })).ok(200)).toEqual({ count: 1 });
    const [row] = await world.system.database.query('select display_name, metadata from chat_user where app_id = $1 and id = $2', [
      world.system.app.id,
      'bulk-1',
    ]);
    expect(row).toEqual({ display_name: 'Another name', metadata: { n: 1 } });
    (await admin('upsertUsers', { users: range(1, 1_001).map((n) => ({ id: `bulk-${n}` })) })).refused('invalid_request');
  });

  it.each([
    ['none', { users: [] }],
    ['a user without an id', { users: [{ displayName: 'x' }] }],
    ['an empty name', { users: [{ id: 'x', displayName: '' }] }],
    ['a link that is no web address', { users: [{ id: 'x', avatarUrl: 'javascript:alert(1)' }] }],
    ['metadata that is a list', { users: [{ id: 'x', metadata: [] }] }],
    ['a field nobody knows', { users: [{ id: 'x', role: 'admin' }] }],
  ])('refuses %s', async (_, body) => {
    (await admin('upsertUsers', body)).refused('invalid_request');
  });

  it('refuses metadata over its bound', async () => {
    const problem = (await admin('upsertUsers', { users: [{ id: 'x', metadata: { text: 'x'.repeat(4_096) } }] })).refused('too_large');
    expect(problem.detail).toContain('metadataBytes');
  });
});

describe('POST /v1/admin/users/{id}/tokens', () => {
  it('mints a token that ends when it says', async () => {
    const [ann] = await world.people('ann');
    const before = Date.now();
    const { token, expiresAt } = (await admin('mintToken', { ttlSeconds: 90 }, { userId: ann.id })).ok(201);
    expect(Date.parse(expiresAt) - before).toBeGreaterThan(85_000);
    expect(Date.parse(expiresAt) - before).toBeLessThan(95_000);
    expect((await world.http.call('getUnread', { token })).ok()).toEqual({ total: 0, mentions: 0 });
    const plain = await world.http.call('mintToken', { token: world.system.app.serverKey, params: { userId: ann.id } });
    plain.ok(201);
  });

  it('refuses a user that does not exist and a lifetime beyond the bound', async () => {
    const [ann] = await world.people('ann');
    (await admin('mintToken', {}, { userId: 'nobody-here' })).refused('not_found');
    (await admin('mintToken', { ttlSeconds: 24 * 3600 + 1 }, { userId: ann.id })).refused('invalid_request');
    (await admin('mintToken', { ttlSeconds: 0 }, { userId: ann.id })).refused('invalid_request');
  });
});

describe('POST /v1/admin/conversations', () => {
  it('creates in the name of a user, once per key', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const body = { type: 'channel', createdBy: ann.id, members: [bob.id], title: 'news', key: 'k1' };
    const { conversation } = (await admin('adminCreateConversation', body)).ok(201);
    expect(conversation).toMatchObject({ createdBy: ann.id, memberCount: 2, type: 'channel' });
    expect((await admin('adminCreateConversation', body)).ok(200).conversation.id).toBe(conversation.id);
    await world.send(ann, conversation.id);
    expect((await world.head(bob, conversation.id))?.member.role).toBe('member');
  });

  it('takes more members than a user may name, and all of them see it', async () => {
    const ids = range(1, 300).map((n) => `crowd-${n}`);
    await world.peopleOf(world.system.app, ids);
    const [ann] = await world.people('ann');
    const body = { type: 'group', members: ids };
    (await world.http.call('createConversation', { token: ann.token, body })).refused('invalid_request');
    const { conversation } = (await admin('adminCreateConversation', { ...body, createdBy: ann.id })).ok(201);
    expect(conversation.memberCount).toBe(301);
    const last = { id: 'crowd-300', token: world.system.app.token('crowd-300') };
    // A crowd learns of it right after the answer.
    const head = await waitFor('the conversation in the list of its last member', () => world.head(last, conversation.id));
    expect(head.unread).toBe(0);
    const device = await world.device(last);
    await device.reach(`c/${conversation.id}`, await world.send(ann, conversation.id));
  });

  it('refuses users that do not exist, and a creator that is missing', async () => {
    const [ann] = await world.people('ann');
    (await admin('adminCreateConversation', { type: 'group', createdBy: 'nobody-here' })).refused('user_unknown');
    (await admin('adminCreateConversation', { type: 'group', createdBy: ann.id, members: ['nobody-here'] })).refused('user_unknown');
    (await admin('adminCreateConversation', { type: 'group' })).refused('invalid_request');
  });
});
