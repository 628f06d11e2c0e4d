import type { Conversation, Problem, RouteName } from '@nudge/types';
import { createRoutes, defaultLimits } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Request } from '../protocol/support/http.ts';
import { type Person, useWorld } from '../protocol/support/world.ts';

/** Two apps with the same user ids: everything here happens as `alice` of the second, against what `alice` and `bob` of the first have. */
const world = useWorld();

interface Tenant {
  readonly alice: Person;
  readonly bob: Person;
  readonly conversation: Conversation;
  readonly direct: Conversation;
}

/** A conversation id that no app has. */
const missing = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
const secret = 'first tenant only';

let first: Tenant;
let second: Tenant;
/** A message that waits and a notice, both of the first app's alice. */
let scheduledId = '';
let noticeId = '';

async function furnish(app: typeof world.system.app, text: string): Promise<Tenant> {
  const [alice, bob] = await world.peopleOf(app, ['alice', 'bob']);
  if (alice === undefined || bob === undefined) throw new Error('no users');
  const conversation = await world.create(alice, { members: [bob], title: text, key: 'team' });
  const direct = await world.create(alice, { type: 'direct', members: [bob] });
  await world.send(alice, conversation.id, text);
  await world.send(bob, direct.id, text);
  // Its pages and memberships are warm in every cache.
  await world.entries(alice, conversation.id);
  await world.entries(bob, direct.id);
  return { alice, bob, conversation, direct };
}

beforeAll(async () => {
  first = await furnish(world.system.app, secret);
  second = await furnish(world.system.otherApp, 'second tenant');
  const sendAt = new Date(Date.now() + 3_600_000).toISOString();
  const params = { conversationId: first.conversation.id };
  const later = { token: first.alice.token, params, body: { clientMsgId: 'later', body: { text: secret }, sendAt } };
  scheduledId = (await world.http.call('sendMessage', later)).ok(202).scheduledId;
  const notice = { token: world.system.app.serverKey, params: { userId: 'alice' }, body: { body: { text: secret } } };
  noticeId = (await world.http.call('createNotice', notice)).ok(201).noticeId;
});

/** Asks the same about the first app's conversation and about one that does not exist: the answers must not differ. */
async function bothMissing<Name extends RouteName>(name: Name, request: Request): Promise<void> {
  const problems: Problem[] = [];
  for (const conversationId of [first.conversation.id, first.direct.id, missing]) {
    const answer = await world.http.call(name, { token: second.alice.token, ...request, params: { ...request.params, conversationId } });
    problems.push(answer.refused('not_found'));
  }
  for (const problem of problems) expect({ ...problem, requestId: '' }).toEqual({ ...problems[0], requestId: '' });
}

/** The same with the second app's server key. */
const adminMissing = <Name extends RouteName>(name: Name, request: Request) =>
  bothMissing(name, { ...request, token: world.system.otherApp.serverKey });

const asSecond = <Name extends RouteName>(name: Name, request: Request = {}) =>
  world.http.call(name, { token: second.alice.token, ...request });

const adminOfSecond = <Name extends RouteName>(name: Name, params: Request['params'], userId = 'alice') =>
  world.http.call(name, { token: world.system.otherApp.serverKey, params: { userId, ...params } });

/** A device of the first app's alice outlives what the second app does. */
async function endsNoneOfFirst(act: (sessionId: string) => Promise<unknown>): Promise<void> {
  const device = await world.device({ id: 'alice', token: first.alice.token });
  const { sessions } = (await world.http.call('listSessions', { token: first.alice.token })).ok();
  await act(sessions[0]?.sessionId ?? '');
  expect((await world.http.call('listSessions', { token: first.alice.token })).ok().sessions).toEqual(sessions);
  expect(device.socket.connected).toBe(true);
  device.socket.disconnect();
}

/** What each route must hold to. A route without a case does not compile. */
const cases: Record<RouteName, () => Promise<void>> = {
  async createConversation() {
    // The same creator and key, the same pair: another conversation.
    const keyed = (await asSecond('createConversation', { body: { type: 'group', key: 'team' } })).ok(200).conversation;
    expect(keyed).toEqual((await asSecond('getConversation', { params: { conversationId: second.conversation.id } })).ok().conversation);
    const direct = (await asSecond('createConversation', { body: { type: 'direct', members: ['bob'] } })).ok(200).conversation;
    expect(direct.id).toBe(second.direct.id);
    expect(new Set([first.conversation.id, second.conversation.id, first.direct.id, second.direct.id]).size).toBe(4);
    // A user of the first app alone is unknown here.
    await world.peopleOf(world.system.app, ['only-in-first']);
    (await asSecond('createConversation', { body: { type: 'group', members: ['only-in-first'] } })).refused('user_unknown');
  },
  getConversation: () => bothMissing('getConversation', {}),
  listMembers: () => bothMissing('listMembers', {}),
  async putMember() {
    await bothMissing('putMember', { params: { userId: 'alice' } });
    await bothMissing('putMember', { params: { userId: 'bob' }, body: { role: 'owner' } });
    const params = { conversationId: second.conversation.id, userId: 'only-in-first' };
    await world.peopleOf(world.system.app, ['only-in-first']);
    (await asSecond('putMember', { params })).refused('user_unknown');
  },
  async removeMember() {
    await bothMissing('removeMember', { params: { userId: 'me' } });
    await bothMissing('removeMember', { params: { userId: 'alice' } });
    await bothMissing('removeMember', { params: { userId: 'bob' } });
  },
  sendMessage: () => bothMissing('sendMessage', { body: { clientMsgId: 'x', body: { text: 'intruder' } } }),
  markRead: () => bothMissing('markRead', { body: { seq: 2 } }),
  async listGateways() {
    const mine = (await asSecond('listGateways')).ok();
    expect(mine).toEqual((await world.http.call('listGateways', { token: first.alice.token })).ok());
    expect(JSON.stringify(mine)).not.toMatch(/"one"|"two"/);
  },
  async upsertUsers() {
    const body = { users: [{ id: 'alice', displayName: 'Second Alice', metadata: { of: 'two' } }] };
    (await world.http.call('upsertUsers', { token: world.system.otherApp.serverKey, body })).ok(200);
    const rows = await world.system.database.query<{ app_id: string; display_name: string | null }>(
      `select app_id, display_name from chat_user where id = 'alice' order by app_id`,
    );
    expect(rows).toEqual([
      { app_id: world.system.app.id, display_name: null },
      { app_id: world.system.otherApp.id, display_name: 'Second Alice' },
    ]);
  },
  async mintToken() {
    const { serverKey } = world.system.otherApp;
    const { token } = (await world.http.call('mintToken', { token: serverKey, params: { userId: 'alice' } })).ok(201);
    (await world.http.call('getConversation', { token, params: { conversationId: first.conversation.id } })).refused('not_found');
    (await world.http.call('getConversation', { token, params: { conversationId: second.conversation.id } })).ok();
    await world.peopleOf(world.system.app, ['only-in-first']);
    (await world.http.call('mintToken', { token: serverKey, params: { userId: 'only-in-first' } })).refused('not_found');
  },
  async adminCreateConversation() {
    const { serverKey } = world.system.otherApp;
    const body = { type: 'group', createdBy: 'alice', key: 'team' };
    const { conversation } = (await world.http.call('adminCreateConversation', { token: serverKey, body })).ok(200);
    expect(conversation.id).toBe(second.conversation.id);
    await world.peopleOf(world.system.app, ['only-in-first']);
    const named = { type: 'group', createdBy: 'only-in-first' };
    (await world.http.call('adminCreateConversation', { token: serverKey, body: named })).refused('user_unknown');
  },
  async sync() {
    const ids = [first.conversation.id, first.direct.id, missing];
    const body = {
      conversations: Object.fromEntries(ids.map((id) => [id, { after: 0 }])),
      feed: { after: 0 },
      app: { after: 0 },
      heads: {},
    };
    const answer = await asSecond('sync', { body });
    const { conversations, feed, heads } = answer.ok();
    for (const id of ids) expect(conversations[id]).toEqual({ error: { code: 'not_found', retryable: false } });
    const ahead = await world.sync(second.alice, { conversations: Object.fromEntries(ids.map((id) => [id, { after: 99, min: 99 }])) });
    for (const id of ids) expect(ahead.conversations[id]).toEqual({ error: { code: 'not_found', retryable: false } });
    const own = [second.conversation.id, second.direct.id].toSorted();
    expect(heads?.items.map(({ id }) => id).toSorted()).toEqual(own);
    const ofConversations = feed?.items.filter(({ subject }) => /^(member|read|pref)\//.test(subject));
    expect([...new Set(ofConversations?.map(({ subject }) => subject.replace(/^\w+\//, '')))].toSorted()).toEqual(own);
    expect(answer.text).not.toContain(secret);
  },
  async listHeads() {
    const answer = await asSecond('listHeads');
    expect(
      answer
        .ok()
        .items.map(({ id }) => id)
        .toSorted(),
    ).toEqual([second.conversation.id, second.direct.id].toSorted());
    expect(answer.text).not.toContain(secret);
    // A cursor of the first app's list leads to nothing of it.
    const { nextCursor } = (await world.http.call('listHeads', { token: first.alice.token, query: { limit: 1 } })).ok();
    const ofFirst = new Set([first.conversation.id, first.direct.id]);
    const page = (await asSecond('listHeads', { query: { cursor: nextCursor ?? '' } })).ok();
    for (const { id } of page.items) expect(ofFirst).not.toContain(id);
  },
  async listEntries() {
    for (const query of [{}, { after: 0 }, { after: 0, min: 1 }, { before: 3 }, { after: 99 }, { min: 99 }])
      await bothMissing('listEntries', { query });
    expect((await asSecond('listEntries', { params: { conversationId: second.conversation.id } })).text).not.toContain(secret);
  },
  updateConversation: () => bothMissing('updateConversation', { body: { title: 'intruder' } }),
  async updatePreferences() {
    await bothMissing('updatePreferences', { body: { pinned: true } });
    const { items } = (await world.sync(second.alice, { feed: { after: 0 } })).feed ?? { items: [] };
    expect(items.map(({ subject }) => subject)).not.toContain(`pref/${first.conversation.id}`);
  },
  transferOwnership: () => bothMissing('transferOwnership', { body: { userId: 'bob' } }),
  muteMember: () => bothMissing('muteMember', { params: { userId: 'bob' } }),
  unmuteMember: () => bothMissing('unmuteMember', { params: { userId: 'bob' } }),
  banMember: () => bothMissing('banMember', { params: { userId: 'bob' } }),
  unbanMember: () => bothMissing('unbanMember', { params: { userId: 'bob' } }),
  listBans: () => bothMissing('listBans', {}),
  editMessage: () => bothMissing('editMessage', { params: { seq: '2' }, body: { body: { text: 'intruder' } } }),
  redactMessage: () => bothMissing('redactMessage', { params: { seq: '2' } }),
  addReaction: () => bothMissing('addReaction', { params: { seq: '2', emoji: '👍' } }),
  removeReaction: () => bothMissing('removeReaction', { params: { seq: '2', emoji: '👍' } }),
  pinMessage: () => bothMissing('pinMessage', { params: { seq: '2' } }),
  unpinMessage: () => bothMissing('unpinMessage', { params: { seq: '2' } }),
  markDelivered: () => bothMissing('markDelivered', { body: { seq: 2 } }),
  listReceipts: () => bothMissing('listReceipts', { query: { seq: 2 } }),
  listReactions: () => bothMissing('listReactions', { params: { seq: '2' } }),
  listPins: () => bothMissing('listPins', {}),
  async getMe() {
    const { me } = (await asSecond('getMe')).ok();
    expect(me).toMatchObject({ id: 'alice' });
    expect(me).not.toMatchObject({ displayName: secret });
  },
  async updateMe() {
    (await asSecond('updateMe', { body: { displayName: 'Alice of the second' } })).ok();
    const there = (await world.http.call('getMe', { token: first.alice.token })).ok().me;
    expect(there.displayName).not.toBe('Alice of the second');
  },
  async listBlocks() {
    expect((await asSecond('listBlocks')).ok().items).toEqual([]);
  },
  async blockUser() {
    await world.peopleOf(world.system.app, ['only-in-first']);
    (await asSecond('blockUser', { params: { userId: 'only-in-first' } })).refused('user_unknown');
    (await asSecond('blockUser', { params: { userId: 'bob' } })).ok();
    expect((await world.http.call('listBlocks', { token: first.alice.token })).ok().items).toEqual([]);
    // The first app's pair of the same names still talks.
    const rows = await world.system.database.query('select 1 from member where conversation_id = $1 and blocked_at is not null', [
      first.direct.id,
    ]);
    expect(rows).toEqual([]);
    (await asSecond('unblockUser', { params: { userId: 'bob' } })).ok();
  },
  async unblockUser() {
    await world.peopleOf(world.system.app, ['only-in-first']);
    (await asSecond('unblockUser', { params: { userId: 'only-in-first' } })).refused('user_unknown');
  },
  async listScheduled() {
    const answer = await asSecond('listScheduled');
    expect(answer.ok().items).toEqual([]);
    expect(answer.text).not.toContain(secret);
  },
  async cancelScheduled() {
    (await asSecond('cancelScheduled', { params: { scheduledId } })).refused('not_found');
    const { items } = (await world.http.call('listScheduled', { token: first.alice.token })).ok();
    expect(items.map(({ id }) => id)).toEqual([scheduledId]);
  },
  async dismissNotice() {
    (await asSecond('dismissNotice', { params: { noticeId } })).refused('not_found');
  },
  async getUsers() {
    await world.peopleOf(world.system.app, ['only-in-first']);
    const { users } = (await asSecond('getUsers', { query: { ids: 'alice,bob,only-in-first' } })).ok();
    expect(users.map(({ id }) => id).toSorted()).toEqual(['alice', 'bob']);
  },
  async getPresence() {
    await world.peopleOf(world.system.app, ['only-in-first']);
    const device = await world.device({ id: 'only-in-first', token: world.system.app.token('only-in-first') });
    const { presence } = (await asSecond('getPresence', { query: { users: 'only-in-first' } })).ok();
    for (const { status, lastSeenAt } of presence) expect([status, lastSeenAt ?? null]).toEqual(['offline', null]);
    device.socket.disconnect();
  },
  async listSessions() {
    const device = await world.device({ id: 'alice', token: first.alice.token });
    expect((await asSecond('listSessions')).ok().sessions).toEqual([]);
    expect((await world.http.call('listSessions', { token: first.alice.token })).ok().sessions).toHaveLength(1);
    device.socket.disconnect();
  },
  endSessions: () => endsNoneOfFirst(() => asSecond('endSessions')),
  endSession: () => endsNoneOfFirst((sessionId) => asSecond('endSession', { params: { sessionId } })),
  async adminListSessions() {
    const device = await world.device({ id: 'alice', token: first.alice.token });
    const token = world.system.otherApp.serverKey;
    expect((await world.http.call('adminListSessions', { token, params: { userId: 'alice' } })).ok().sessions).toEqual([]);
    device.socket.disconnect();
  },
  adminEndSessions: () => endsNoneOfFirst(() => adminOfSecond('adminEndSessions', {})),
  adminEndSession: () => endsNoneOfFirst((sessionId) => adminOfSecond('adminEndSession', { sessionId })),
  async adminPresence() {
    const device = await world.device({ id: 'alice', token: first.alice.token });
    const token = world.system.otherApp.serverKey;
    const { presence } = (await world.http.call('adminPresence', { token, body: { userIds: ['alice'] } })).ok();
    expect(presence).toMatchObject([{ userId: 'alice', status: 'offline' }]);
    device.socket.disconnect();
  },
  async revokeTokens() {
    await endsNoneOfFirst(() => adminOfSecond('revokeTokens', {}, 'nobody-else'));
    await world.peopleOf(world.system.app, ['nobody-else']);
    (await world.http.call('getMe', { token: world.system.app.token('nobody-else') })).ok();
  },
  async banUser() {
    (await adminOfSecond('banUser', {}, 'banned-in-second')).ok();
    (await world.http.call('getMe', { token: world.system.app.token('banned-in-second') })).ok();
    (await world.http.call('getMe', { token: world.system.otherApp.token('banned-in-second') })).refused('user_banned');
  },
  async unbanUser() {
    (await world.http.call('banUser', { token: world.system.app.serverKey, params: { userId: 'banned-in-first' } })).ok();
    (await adminOfSecond('unbanUser', {}, 'banned-in-first')).ok();
    (await world.http.call('getMe', { token: world.system.app.token('banned-in-first') })).refused('user_banned');
  },
  async updateApp() {
    const { serverKey } = world.system.otherApp;
    (await world.http.call('updateApp', { token: serverKey, body: { countableTypes: ['custom.second'] } })).ok();
    const here = (await world.http.call('updateApp', { token: world.system.app.serverKey, body: {} })).ok();
    expect(here.settings.countableTypes).toEqual([]);
  },
  async createNotice() {
    const { serverKey } = world.system.otherApp;
    await world.peopleOf(world.system.app, ['only-in-first']);
    const body = { id: noticeId, body: { text: 'of the second' } };
    (await world.http.call('createNotice', { token: serverKey, params: { userId: 'only-in-first' }, body })).refused('not_found');
    // The same id and the same name are another notice.
    (await world.http.call('createNotice', { token: serverKey, params: { userId: 'alice' }, body })).ok(201);
  },
  adminSendMessage: () => adminMissing('adminSendMessage', { body: { senderId: 'alice', clientMsgId: 'x', body: { text: 'intruder' } } }),
  adminEditMessage: () => adminMissing('adminEditMessage', { params: { seq: '2' }, body: { body: { text: 'intruder' } } }),
  adminRedactMessage: () => adminMissing('adminRedactMessage', { params: { seq: '2' } }),
  listVersions: () => adminMissing('listVersions', { params: { seq: '2' } }),
  adminUpdateConversation: () => adminMissing('adminUpdateConversation', { body: { title: 'intruder' } }),
  adminPutMember: () => adminMissing('adminPutMember', { params: { userId: 'alice' } }),
  adminRemoveMember: () => adminMissing('adminRemoveMember', { params: { userId: 'bob' } }),
  async getUnread() {
    const before = (await asSecond('getUnread')).ok();
    await world.send(first.bob, first.conversation.id);
    expect((await asSecond('getUnread')).ok()).toEqual(before);
  },
};

/** All that the first app has, but for what the test itself changes there. */
async function truthOfFirst(): Promise<unknown> {
  const ids = [first.conversation.id, first.direct.id];
  const { database } = world.system;
  return {
    conversations: await database.query('select * from conversation where id = any($1) order by id', [ids]),
    members: await database.query('select * from member where conversation_id = any($1) order by conversation_id, user_id', [ids]),
    entries: await database.query('select * from entry where conversation_id = any($1) order by conversation_id, seq', [ids]),
    feeds: await database.query('select * from feed where app_id = $1 order by user_id, subject', [world.system.app.id]),
    scheduled: await database.query('select * from scheduled where app_id = $1 order by id', [world.system.app.id]),
    blocks: await database.query('select * from block where app_id = $1 order by user_id, other_id', [world.system.app.id]),
    settings: await database.query('select settings from app where id = $1', [world.system.app.id]),
    acts: await database.query('select * from reaction where conversation_id = any($1)', [ids]),
    pins: await database.query('select * from pin where conversation_id = any($1)', [ids]),
  };
}

describe('a user of the same name in another app', () => {
  const routes = Object.keys(createRoutes(defaultLimits)) as RouteName[];

  it('has a case for every route', () => {
    expect(Object.keys(cases).toSorted()).toEqual(routes.toSorted());
  });

  it.each(routes.filter((name) => name !== 'getUnread'))('sees and changes nothing through %s', async (name) => {
    const before = await truthOfFirst();
    await cases[name]();
    expect(await truthOfFirst()).toEqual(before);
  });

  it('sees and changes nothing through getUnread', () => cases.getUnread());
});
