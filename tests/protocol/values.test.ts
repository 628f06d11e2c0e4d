import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { seqs, useWorld } from './support/world.ts';

const world = useWorld();

describe('ids', () => {
  it('gives conversations lower-case UUIDs, version 7 or, where derived, 8', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const group = await world.create(ann, { members: [bob] });
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    const keyed = await world.create(ann, { key: 'team' });
    expect(group.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(direct.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(keyed.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  });

  it('knows one spelling of a conversation id', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const answer = await world.http.call('getConversation', { token: ann.token, params: { conversationId: id.toUpperCase() } });
    // An id of digits alone has no upper case.
    if (id !== id.toUpperCase()) answer.refused('invalid_request');
  });

  it('takes the integrator`s own user ids as they are', async () => {
    const ids = ['a', 'A', 'x'.repeat(64), 'user_1.2:3@example-org', '...', '__proto__', 'constructor', '0'];
    await world.peopleOf(world.system.app, ids);
    const [ann] = await world.people('ann');
    const { id, memberCount } = await world.create(ann, { members: ids.map((userId) => ({ id: userId, token: '' })) });
    expect(memberCount).toBe(ids.length + 1);
    const { items } = (await world.http.call('listMembers', { token: ann.token, params: { conversationId: id } })).ok();
    expect(items.map(({ userId }) => userId).sort()).toEqual([...ids, ann.id].sort());
    for (const userId of ids) {
      expect((await world.entries({ id: userId, token: world.system.app.token(userId) }, id)).head).toBe(1);
    }
  });

  it.each(['', 'me', '.', '..', 'x'.repeat(65), 'a b', 'ä', '$system', 'a/b', 'a\u0000'])('refuses the user id %j', async (userId) => {
    const answer = await world.http.call('upsertUsers', { token: world.system.app.serverKey, body: { users: [{ id: userId }] } });
    expect(answer.refused('invalid_request').issues?.[0]?.path).toBe('body.users.0.id');
  });
});

describe('times', () => {
  it('are RFC 3339 in UTC with three decimals on every path, and lie in the present', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const before = Date.now() - 1_000;
    const conversation = await world.create(ann, { members: [bob] });
    const sent = (
      await world.http.call('sendMessage', {
        token: ann.token,
        params: { conversationId: conversation.id },
        body: { clientMsgId: 't', body: { text: 'x' } },
      })
    ).ok(201);
    const page = await world.entries(ann, conversation.id);
    const head = await world.head(ann, conversation.id);
    const sync = await world.sync(ann, { heads: {} });
    const minted = (
      await world.http.call('mintToken', { token: world.system.app.serverKey, params: { userId: ann.id }, body: { ttlSeconds: 1 } })
    ).ok(201);
    using device = await world.device(ann);
    const times = [
      conversation.createdAt,
      sent.createdAt,
      ...page.entries.map(({ createdAt }) => createdAt),
      head?.lastEntryAt,
      head?.lastMessage?.createdAt,
      sync.serverTime,
      minted.expiresAt,
      device.welcome.serverTime,
    ];
    for (const time of times) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Date.parse(time ?? '')).toBeGreaterThan(before);
      expect(Date.parse(time ?? '')).toBeLessThan(Date.now() + 3_000);
    }
    expect(page.entries[1]?.createdAt).toBe(sent.createdAt);
  });
});

describe('absent and null', () => {
  it('mean the same in every optional field', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const body = { type: 'group', members: [bob.id], title: null, metadata: null, history: null, key: null };
    const { conversation } = (await world.http.call('createConversation', { token: ann.token, body })).ok(201);
    expect(conversation).toMatchObject({ title: null, metadata: null, history: 'full' });
    const without = (await world.http.call('createConversation', { token: ann.token, body: { type: 'group', members: null } })).ok(201);
    expect(without.conversation).toMatchObject({ title: null, metadata: null, history: 'full', memberCount: 1 });
    const sync = await world.sync(ann, { feed: null, app: null, conversations: null, heads: null, limit: null });
    expect(sync).toMatchObject({ conversations: {} });
    expect(sync).not.toHaveProperty('feed');
    const put = { token: ann.token, params: { conversationId: conversation.id, userId: bob.id } };
    expect((await world.http.call('putMember', { ...put, body: { role: null } })).ok(200)).toEqual({ seq: null, changed: false });
    expect((await world.http.call('putMember', put)).ok(200)).toEqual({ seq: null, changed: false });

    const at = { token: ann.token, params: { conversationId: conversation.id } };
    const sparse = { clientMsgId: 'm', body: {} };
    const nulls = { type: null, replyTo: null, mentions: null, expiresIn: null, sendAt: null };
    const { seq } = (await world.http.call('sendMessage', { ...at, body: { ...sparse, ...nulls } })).ok(201);
    expect((await world.http.call('sendMessage', { ...at, body: sparse })).ok(200).seq).toBe(seq);
    const entry = { token: ann.token, params: { conversationId: conversation.id, seq: String(seq) } };
    const edit = { body: {}, mentions: null, clientMsgId: null, ifStateSeq: null };
    expect((await world.http.call('editMessage', { ...entry, body: edit })).ok()).toEqual({ seq: null, changed: false });
    const patch = { title: null, avatarUrl: null, metadata: null, frozen: null, slowModeSeconds: null, retentionSeconds: null };
    expect((await world.http.call('updateConversation', { ...at, body: patch })).ok()).toEqual({ seq: null, changed: false });
    const { preferences } = (await world.http.call('updatePreferences', { ...at, body: { mutedUntil: null, draft: null } })).ok();
    expect(Object.values(preferences).filter((value) => value !== null && value !== false)).toEqual([]);
    for (const body of [{ seconds: null }, {}, undefined]) {
      const mute = { ...put, ...(body === undefined ? {} : { body }) };
      expect((await world.http.call('muteMember', mute)).ok().changed).toBe(body?.seconds === null);
    }
  });
});

describe('fields nobody knows', () => {
  it('are refused in a request and name themselves', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const body = { clientMsgId: 'x', body: {}, seq: 7 };
    const problem = (await world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body })).refused(
      'invalid_request',
    );
    expect(JSON.stringify(problem.issues)).toContain('seq');
    (await world.http.call('listEntries', { token: ann.token, params: { conversationId: id }, query: { since: 1 } })).refused(
      'invalid_request',
    );
    expect(seqs((await world.entries(ann, id)).entries)).toEqual([1]);
  });
});

describe('JSON', () => {
  it('comes back equal: numbers, escapes, empty things and every plane of Unicode', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const body = {
      text: 'grüß 👋🏽 \u{10FFFF} \u2028 "\\/\b\f\n\r\t\u0001',
      '': '',
      numbers: [0, -0.5, 1e-7, 1.5e-300, 9007199254740991, -9007199254740991],
      empty: [{}, [], '', null, false],
      'a key with "quotes"': { b: 1, a: 2 },
    };
    (await world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body: { clientMsgId: 'x', body } })).ok(201);
    expect((await world.entries(ann, id)).entries[1]?.body).toEqual(body);
    const synced = await world.sync(ann, { conversations: { [id]: { after: 1 } } });
    expect(synced.conversations[id]).toMatchObject({ entries: [{ body }] });
  });

  it('may be nested 32 levels deep and no deeper', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    // The request's own two objects are the first two levels.
    const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });
    const send = (clientMsgId: string, body: unknown) =>
      world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body: { clientMsgId, body } });
    (await send('a', { a: nested(30) })).ok(201);
    expect((await send('b', { a: nested(31) })).refused('invalid_request').detail).toContain('jsonDepth');
  });

  it('answers for ids that do not exist without saying which ones do', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann);
    const missing = (await world.http.call('getConversation', { token: eve.token, params: { conversationId: randomUUID() } })).refused(
      'not_found',
    );
    const foreign = (await world.http.call('getConversation', { token: eve.token, params: { conversationId: id } })).refused('not_found');
    expect({ ...foreign, requestId: '' }).toEqual({ ...missing, requestId: '' });
  });
});
