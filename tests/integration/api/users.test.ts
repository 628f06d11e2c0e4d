import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, type Caller, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { idleJobs } from './support/jobs.ts';
import { listenToUser } from './support/listener.ts';

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let server: ApiServer;
let ann: Caller;
let bob: Caller;

const session = (userId: string) => ({
  appId: 'demo',
  userId,
  deviceId: 'd',
  sessionId: `s-${userId}`,
  gatewayId: 'g',
  status: 'online' as const,
  connectedAt: Date.now(),
  hidden: false,
});

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dan', 'eve']);
  other = await createTestApp(database, 'other', ['ann', 'zoe']);
  server = await startApiServer(database, { config: { jobs: idleJobs } });
  ann = server.as(app, 'ann');
  bob = server.as(app, 'bob');
  await server.registry.renewLease('g', 3_600_000);
  for (const userId of ['ann', 'bob', 'cho']) await server.registry.put(session(userId));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const version = async (userId: string): Promise<number> => {
  const rows = await database.query<{ version: string }>(
    `select feed_version as version from chat_user where app_id = 'demo' and id = $1`,
    [userId],
  );
  return Number(rows[0]?.version);
};
const feed = async (userId: string, subject: string) => {
  const text = `select state from feed where app_id = 'demo' and user_id = $1 and subject = $2`;
  return (await database.query<{ state: Record<string, unknown> }>(text, [userId, subject]))[0]?.state;
};
const conversation = async (type: 'direct' | 'group' = 'group', caller = ann, members = ['bob']): Promise<string> => {
  const { body } = await caller('POST', '/v1/conversations', { type, members });
  return (body.conversation as { id: string }).id;
};

describe('profiles', () => {
  it('are changed field by field, cleared by what is empty, and seen by others without what is private', async () => {
    const fresh = { id: 'eve', displayName: null, avatarUrl: null, metadata: null, presenceVisibility: 'everyone' };
    const eve = server.as(app, 'eve');
    expect((await eve('GET', '/v1/me')).body.me).toMatchObject(fresh);
    const patch = { displayName: 'Eve', avatarUrl: 'https://chat.example/eve.png', metadata: { team: 'a' } };
    expect((await eve('PATCH', '/v1/me', patch)).body.me).toMatchObject({ ...fresh, ...patch });
    expect((await eve('PATCH', '/v1/me', { displayName: null })).body.me).toMatchObject(patch);
    const { body } = await ann('GET', '/v1/users?ids=eve,nobody,bob,eve,zoe');
    expect(body.users).toEqual([
      { id: 'bob', displayName: null, avatarUrl: null, metadata: null },
      { id: 'eve', ...patch },
    ]);
    expect((await eve('PATCH', '/v1/me', { displayName: '', avatarUrl: '', metadata: {} })).body.me).toMatchObject(fresh);
    const large = await eve('PATCH', '/v1/me', { metadata: { text: 'x'.repeat(5_000) } });
    expect([large.status, large.body.code]).toEqual([413, 'too_large']);
    const many = await ann('GET', `/v1/users?ids=${Array.from({ length: 101 }, (_, n) => `u${n}`).join(',')}`);
    expect(many.status).toBe(400);
  });

  it('tell gateways whenever the visibility of presence is named', async () => {
    const heard = await listenToUser(server.bus, 'demo', 'dan');
    const dan = server.as(app, 'dan');
    await dan('PATCH', '/v1/me', { displayName: 'Dan' });
    expect(heard.messages).toEqual([]);
    expect((await dan('PATCH', '/v1/me', { presenceVisibility: 'nobody' })).body.me).toMatchObject({ presenceVisibility: 'nobody' });
    await dan('PATCH', '/v1/me', { presenceVisibility: 'everyone' });
    expect(heard.messages).toEqual([{ kind: 'user' }, { kind: 'user' }]);
  });
});

describe('GET /v1/presence', () => {
  it('shows who is online, and nothing of those who hide it, who are blocked or who block, and who do not exist', async () => {
    const ask = async (caller: Caller) => (await caller('GET', '/v1/presence?users=cho,bob,ann,nobody,dan,zoe')).body.presence;
    const all = [
      { userId: 'cho', status: 'online' },
      { userId: 'bob', status: 'online' },
      { userId: 'ann', status: 'online' },
      { userId: 'dan', status: 'offline' },
    ];
    expect(await ask(ann)).toEqual(all);
    await server.as(app, 'cho')('PATCH', '/v1/me', { presenceVisibility: 'nobody' });
    await bob('PUT', '/v1/me/blocks/ann');
    const hidden = (...users: string[]) => all.map((item) => (users.includes(item.userId) ? { ...item, status: 'offline' } : item));
    expect(await ask(ann)).toEqual(hidden('cho', 'bob'));
    expect(await ask(bob)).toEqual(hidden('cho', 'ann'));
    expect(await ask(server.as(app, 'cho'))).toEqual(all);
    await server.as(app, 'cho')('PATCH', '/v1/me', { presenceVisibility: 'everyone' });
    await bob('DELETE', '/v1/me/blocks/ann');
    expect(await ask(ann)).toEqual(all);
  });

  it('does not say when somebody was last seen whose presence is hidden', async () => {
    await server.registry.put(session('eve'));
    await server.registry.remove('demo', 'eve', 's-eve');
    const ask = async () => ((await ann('GET', '/v1/presence?users=eve')).body.presence as object[])[0];
    expect(await ask()).toMatchObject({ userId: 'eve', status: 'offline', lastSeenAt: expect.any(String) });
    await server.as(app, 'eve')('PATCH', '/v1/me', { presenceVisibility: 'nobody' });
    expect(await ask()).toEqual({ userId: 'eve', status: 'offline' });
    await server.as(app, 'eve')('PATCH', '/v1/me', { presenceVisibility: 'everyone' });
    expect(await ask()).toEqual({ userId: 'eve', status: 'offline' });
  });
});

describe('PATCH /v1/conversations/{id}/preferences', () => {
  it('answers the whole state as every device of the user finds it, and tells them', async () => {
    const id = await conversation();
    const change = async (body: object) => (await ann('PATCH', `/v1/conversations/${id}/preferences`, body)).body.preferences;
    const phone = await listenToUser(server.bus, 'demo', 'ann');
    const untouched = await version('bob');
    expect(await change({ archived: true, draft: { text: 'unsent', deep: { a: null } } })).toEqual({
      archived: true,
      draft: { text: 'unsent', deep: { a: null } },
    });
    expect(phone.highest('u/ann')).toBe(await version('ann'));
    const before = phone.messages.length;
    const until = Date.now() + 3_600_000;
    const shifted = new Date(until + 2 * 3_600_000).toISOString().replace('Z', '+02:00');
    // Two devices at once change different settings: neither undoes the other's.
    await Promise.all([change({ mutedUntil: shifted }), change({ pinned: true })]);
    const whole = { archived: true, pinned: true, mutedUntil: new Date(until).toISOString(), draft: { text: 'unsent', deep: { a: null } } };
    expect(await change({})).toEqual(whole);
    expect(await feed('ann', `pref/${id}`)).toEqual(whole);
    expect(await version('bob')).toBe(untouched);
    expect(phone.messages.length).toBeGreaterThan(before);
    expect(phone.highest('u/ann')).toBe(await version('ann'));
    expect(await change({ archived: null, pinned: null, mutedUntil: null, draft: null })).toEqual(whole);
    expect(await change({ archived: false, pinned: false, mutedUntil: new Date(0).toISOString(), draft: {} })).toEqual({});
  });

  it('keeps what hides a left direct conversation, and shows none of its bookkeeping', async () => {
    const id = await conversation('direct', ann, ['dan']);
    await ann('DELETE', `/v1/conversations/${id}/members/me`);
    const { body } = await ann('PATCH', `/v1/conversations/${id}/preferences`, { pinned: true });
    expect(body.preferences).toEqual({ hiddenSeq: 1, pinned: true });
    await ann('POST', '/v1/conversations', { type: 'direct', members: ['dan'] });
    expect((await ann('PATCH', `/v1/conversations/${id}/preferences`, {})).body.preferences).toEqual({ pinned: true });
  });

  it('is for members, within its bound', async () => {
    const id = await conversation();
    expect((await server.as(app, 'cho')('PATCH', `/v1/conversations/${id}/preferences`, { pinned: true })).status).toBe(404);
    expect((await server.as(other, 'ann')('PATCH', `/v1/conversations/${id}/preferences`, { pinned: true })).status).toBe(404);
    const large = await ann('PATCH', `/v1/conversations/${id}/preferences`, { archived: true, draft: { text: 'x'.repeat(5_000) } });
    expect([large.status, large.body.code]).toEqual([413, 'too_large']);
    expect(await feed('ann', `pref/${id}`)).toBeUndefined();
    expect((await ann('PATCH', `/v1/conversations/${id}/preferences`, { mutedUntil: 'tomorrow' })).status).toBe(400);
  });
});

describe('notices', () => {
  it('reach all devices, are replaced by their id and dismissed everywhere', async () => {
    const integrator = server.asServer(app);
    const heard = await listenToUser(server.bus, 'demo', 'bob');
    const made = await integrator('POST', '/v1/admin/users/bob/notices', { body: { text: 'maintenance' } });
    expect(made.status).toBe(201);
    const id = made.body.noticeId as string;
    expect(await feed('bob', `notice/${id}`)).toEqual({ body: { text: 'maintenance' } });
    expect(heard.highest('u/bob')).toBe(await version('bob'));
    const again = await integrator('POST', '/v1/admin/users/bob/notices', { id, body: { text: 'done' } });
    expect([again.status, again.body.noticeId]).toEqual([201, id]);
    expect(await feed('bob', `notice/${id}`)).toEqual({ body: { text: 'done' } });
    expect((await ann('DELETE', `/v1/me/notices/${id}`)).status).toBe(404);
    expect((await bob('DELETE', `/v1/me/notices/${id}`)).body).toEqual({ changed: true });
    expect(await feed('bob', `notice/${id}`)).toEqual({ body: null });
    expect(heard.highest('u/bob')).toBe(await version('bob'));
    expect((await bob('DELETE', `/v1/me/notices/${id}`)).body).toEqual({ changed: false });
  });

  it('are for users that exist, within the bound and the scope of the key', async () => {
    const integrator = server.asServer(app);
    const path = '/v1/admin/users/bob/notices';
    expect((await integrator('POST', '/v1/admin/users/nobody/notices', { body: {} })).status).toBe(404);
    expect((await integrator('POST', path, { body: { text: 'x'.repeat(17_000) } })).body.code).toBe('too_large');
    expect((await bob('POST', path, { body: {} })).status).toBe(401);
    expect((await server.asServer(other)('POST', path, { body: {} })).status).toBe(404);
  });
});

describe('PATCH /v1/admin/app', () => {
  it('says which custom types count, and messages obey within seconds', async () => {
    const integrator = server.asServer(app);
    expect((await integrator('PATCH', '/v1/admin/app', {})).body).toEqual({ settings: { countableTypes: [] } });
    const types = ['custom.poll', 'custom.poll', 'custom.order'];
    const settings = { countableTypes: ['custom.poll', 'custom.order'] };
    expect((await integrator('PATCH', '/v1/admin/app', { countableTypes: types })).body).toEqual({ settings });
    expect((await integrator('PATCH', '/v1/admin/app', {})).body).toEqual({ settings });
    expect((await server.asServer(other)('PATCH', '/v1/admin/app', {})).body).toEqual({ settings: { countableTypes: [] } });
    const id = await conversation();
    const send = (clientMsgId: string, type: string) => ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId, type, body: {} });
    await send('a', 'custom.poll');
    await send('b', 'custom.other');
    const text = 'select type, countable from entry where conversation_id = $1 and seq > 1 order by seq';
    expect(await database.query(text, [id])).toEqual([
      { type: 'custom.poll', countable: true },
      { type: 'custom.other', countable: false },
    ]);
    expect((await integrator('PATCH', '/v1/admin/app', { countableTypes: ['message'] })).status).toBe(400);
    const [kept] = await database.query<{ kept: boolean }>(`select settings ? '$contentSecret' as kept from app where id = 'demo'`);
    expect(kept?.kept).toBe(true);
    await waitFor('the change to be in force', async () => {
      await integrator('PATCH', '/v1/admin/app', { countableTypes: [] });
      const name = `c${Math.random()}`;
      await send(name, 'custom.poll');
      const rows = await database.query<{ countable: boolean }>('select countable from entry where client_msg_id = $1', [name]);
      return rows[0]?.countable === false;
    });
  });
});
