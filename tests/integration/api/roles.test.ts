import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { refusedWhole } from './support/half-done.ts';
import { listenToConversation } from './support/listener.ts';

let database: TestDatabase;
let app: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee', 'eve']);
  server = await startApiServer(database);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const call = (userId: string, method: string, path: string, body?: unknown): Promise<ApiAnswer> =>
  server.as(app, userId)(method, `/v1/conversations/${path}`, body);
const refused = (id: string, userId: string, method: string, path: string, body: unknown, code: string): Promise<ApiAnswer> =>
  refusedWhole(database, id, () => call(userId, method, path === '' ? id : `${id}/${path}`, body), code);
const feed = async (userId: string, id: string): Promise<unknown> =>
  (await database.query('select state from feed where user_id = $1 and subject = $2', [userId, `member/${id}`]))[0]?.state;
const send = (userId: string, id: string): Promise<ApiAnswer> =>
  call(userId, 'POST', `${id}/messages`, { clientMsgId: randomUUID(), body: {} });

/** ann owns, bob and cho moderate, dee is a member. */
async function newGroup(): Promise<string> {
  const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho', 'dee'] });
  const { id } = answer.body.conversation as { id: string };
  await call('ann', 'PUT', `${id}/members/bob`, { role: 'moderator' });
  await call('ann', 'PUT', `${id}/members/cho`, { role: 'moderator' });
  return id;
}

describe('roles', () => {
  it('are the owner`s to give, never above one`s own, and the last owner cannot go', async () => {
    const id = await newGroup();
    await refused(id, 'bob', 'PUT', 'members/dee', { role: 'moderator' }, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'members/eve', { role: 'owner' }, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'members/bob', { role: 'owner' }, '403 forbidden');
    await refused(id, 'dee', 'PUT', 'members/eve', undefined, '403 forbidden');
    await refused(id, 'bob', 'DELETE', 'members/ann', undefined, '403 forbidden');
    await refused(id, 'bob', 'DELETE', 'members/cho', undefined, '403 forbidden');
    await refused(id, 'ann', 'DELETE', 'members/me', undefined, '409 last_owner');
    await refused(id, 'ann', 'PUT', 'members/ann', { role: 'member' }, '409 last_owner');
    await refused(id, 'ann', 'PUT', 'members/nobody', undefined, '400 user_unknown');
    expect((await call('bob', 'PUT', `${id}/members/eve`)).body).toMatchObject({ changed: true });
  });

  it('change hands with the ownership, in one entry that both feeds follow', async () => {
    const id = await newGroup();
    await refused(id, 'bob', 'PUT', 'owner', { userId: 'bob' }, '403 forbidden');
    await refused(id, 'ann', 'PUT', 'owner', { userId: 'eve' }, '404 not_found');
    await refused(id, 'ann', 'PUT', 'owner', { userId: 'nobody' }, '400 user_unknown');
    expect((await call('ann', 'PUT', `${id}/owner`, { userId: 'ann' })).body).toEqual({ seq: null, changed: false });
    expect((await call('ann', 'PUT', `${id}/owner`, { userId: 'dee' })).body).toEqual({ seq: 4, changed: true });
    expect(await feed('dee', id)).toMatchObject({ role: 'owner' });
    expect(await feed('ann', id)).toMatchObject({ role: 'moderator' });
    await refused(id, 'ann', 'PUT', 'owner', { userId: 'ann' }, '403 forbidden');
    expect((await call('ann', 'DELETE', `${id}/members/me`)).status).toBe(200);
  });
});

describe('mutes', () => {
  it('silence for their time, show in the list and in the feed, and end', async () => {
    const id = await newGroup();
    expect((await call('bob', 'PUT', `${id}/members/dee/mute`, { seconds: 60 })).body).toMatchObject({ changed: true });
    await refused(id, 'dee', 'POST', 'messages', { clientMsgId: 'm', body: {} }, '403 muted');
    const until = ((await feed('dee', id)) as { mutedUntil: string }).mutedUntil;
    expect(Date.parse(until) - Date.now()).toBeGreaterThan(50_000);
    const members = (await call('dee', 'GET', `${id}/members`)).body.items as { userId: string; mutedUntil?: string }[];
    expect(members.filter((member) => member.mutedUntil !== undefined)).toEqual([
      expect.objectContaining({ userId: 'dee', mutedUntil: until }),
    ]);
    expect((await call('bob', 'DELETE', `${id}/members/dee/mute`)).body).toMatchObject({ changed: true });
    expect((await call('bob', 'DELETE', `${id}/members/dee/mute`)).body).toEqual({ seq: null, changed: false });
    expect((await send('dee', id)).status).toBe(201);
    expect((await call('bob', 'PUT', `${id}/members/dee/mute`)).body).toMatchObject({ changed: true });
    expect((await call('bob', 'PUT', `${id}/members/dee/mute`, {})).body).toEqual({ seq: null, changed: false });
    expect(await feed('dee', id)).toMatchObject({ mutedUntil: '9999-12-31T23:59:59.999Z' });
  });

  it('are for moderators, against lower roles', async () => {
    const id = await newGroup();
    await refused(id, 'dee', 'PUT', 'members/bob/mute', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'members/ann/mute', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'members/cho/mute', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'members/eve/mute', {}, '404 not_found');
    await refused(id, 'bob', 'PUT', 'members/nobody/mute', {}, '400 user_unknown');
    await refused(id, 'bob', 'PUT', 'members/dee/mute', { seconds: 0 }, '400 invalid_request');
    await refused(id, 'eve', 'PUT', 'members/dee/mute', {}, '404 not_found');
  });
});

describe('bans', () => {
  it('remove a member and keep it out until lifted; the list is the moderators`', async () => {
    const id = await newGroup();
    const watcher = await listenToConversation(server.bus, 'demo', id);
    expect((await call('bob', 'PUT', `${id}/bans/dee`, { seconds: 3_600 })).body).toEqual({ seq: 4, changed: true });
    await expect.poll(() => watcher.messages).toContainEqual({ kind: 'control', conversationId: id, memberVersion: 4, head: 4 });
    expect(await feed('dee', id)).toMatchObject({ state: 'left', leftSeq: 4 });
    expect((await send('dee', id)).status).toBe(404);
    await refused(id, 'ann', 'PUT', 'members/dee', undefined, '403 forbidden');
    expect((await call('bob', 'PUT', `${id}/bans/eve`)).body).toEqual({ seq: 5, changed: true });
    expect((await call('ann', 'GET', `${id}/bans`)).body).toEqual({
      items: [{ userId: 'dee', until: expect.any(String) }, { userId: 'eve' }],
    });
    expect((await call('ann', 'GET', `${id}/bans?limit=1`)).body).toMatchObject({ items: [{ userId: 'dee' }], nextCursor: 'dee' });
    expect((await call('ann', 'GET', `${id}/bans?limit=1&cursor=dee`)).body).toEqual({ items: [{ userId: 'eve' }] });
    expect((await call('dee', 'GET', `${id}/bans`)).status).toBe(404);
    expect((await call('cho', 'DELETE', `${id}/bans/dee`)).body).toEqual({ seq: 6, changed: true });
    expect((await call('cho', 'DELETE', `${id}/bans/dee`)).body).toEqual({ seq: null, changed: false });
    expect((await call('cho', 'PUT', `${id}/members/dee`)).body).toEqual({ seq: 7, changed: true });
    expect((await send('dee', id)).status).toBe(201);
    expect((await call('dee', 'GET', `${id}/bans`)).body.code).toBe('forbidden');
  });

  it('are for moderators, against lower roles and against users that exist', async () => {
    const id = await newGroup();
    await refused(id, 'dee', 'PUT', 'bans/eve', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'bans/ann', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'bans/cho', {}, '403 forbidden');
    await refused(id, 'bob', 'PUT', 'bans/nobody', {}, '400 user_unknown');
    await refused(id, 'bob', 'DELETE', 'bans/nobody', undefined, '400 user_unknown');
    await refused(id, 'dee', 'DELETE', 'bans/eve', undefined, '403 forbidden');
  });
});

describe('the conversation itself', () => {
  it('changes by the fields that differ, in one entry; empty clears', async () => {
    const id = await newGroup();
    const patch = { title: 'Tea', avatarUrl: 'https://example.org/a.png', metadata: { a: 1 }, slowModeSeconds: 5, frozen: null };
    expect((await call('bob', 'PATCH', id, patch)).body).toEqual({ seq: 4, changed: true });
    expect((await call('bob', 'PATCH', id, patch)).body).toEqual({ seq: null, changed: false });
    expect((await call('bob', 'PATCH', id, {})).body).toEqual({ seq: null, changed: false });
    expect((await call('dee', 'GET', id)).body.conversation).toMatchObject({
      title: 'Tea',
      avatarUrl: 'https://example.org/a.png',
      metadata: { a: 1 },
      slowModeSeconds: 5,
      retentionSeconds: 0,
      frozen: false,
    });
    expect((await call('bob', 'PATCH', id, { title: '', avatarUrl: '', metadata: {}, slowModeSeconds: 0 })).body).toMatchObject({
      changed: true,
    });
    expect((await call('dee', 'GET', id)).body.conversation).toMatchObject({
      title: null,
      avatarUrl: null,
      metadata: null,
      slowModeSeconds: 0,
    });
    expect((await call('ann', 'PATCH', id, { retentionSeconds: 86_400 })).body).toMatchObject({ changed: true });
  });

  it('is changed by moderators, its retention by the owner, within the bounds', async () => {
    const id = await newGroup();
    await refused(id, 'dee', 'PATCH', '', { title: 'x' }, '403 forbidden');
    await refused(id, 'bob', 'PATCH', '', { retentionSeconds: 10 }, '403 forbidden');
    await refused(id, 'bob', 'PATCH', '', { title: 'x', retentionSeconds: 10 }, '403 forbidden');
    await refused(id, 'eve', 'PATCH', '', { title: 'x' }, '404 not_found');
    await refused(id, 'bob', 'PATCH', '', { slowModeSeconds: 100_000 }, '400 invalid_request');
    await refused(id, 'bob', 'PATCH', '', { avatarUrl: 'javascript:alert(1)' }, '400 invalid_request');
    await refused(id, 'bob', 'PATCH', '', { lastSeq: 1 }, '400 invalid_request');
    await refused(id, 'bob', 'PATCH', '', { metadata: { a: 'x'.repeat(5_000) } }, '413 too_large');
  });

  it('read-only binds members and not moderators, and tells the gateways; slow mode says how long to wait', async () => {
    const id = await newGroup();
    const watcher = await listenToConversation(server.bus, 'demo', id);
    await call('bob', 'PATCH', id, { frozen: true });
    await expect.poll(() => watcher.messages.some((message) => message.kind === 'control' && message.head === 4)).toBe(true);
    await refused(id, 'dee', 'POST', 'messages', { clientMsgId: 'm', body: {} }, '403 frozen');
    expect((await send('bob', id)).status).toBe(201);
    await call('bob', 'PATCH', id, { frozen: false, slowModeSeconds: 30 });
    expect((await send('dee', id)).status).toBe(201);
    const slow = await refused(id, 'dee', 'POST', 'messages', { clientMsgId: 's', body: {} }, '429 slow_mode');
    expect(Number(slow.headers.get('retry-after'))).toBeGreaterThanOrEqual(28);
    expect(Number(slow.headers.get('retry-after'))).toBeLessThanOrEqual(30);
    expect((await send('bob', id)).status).toBe(201);
    expect((await send('bob', id)).status).toBe(201);
  });

  it('of two is changed in its metadata and retention only', async () => {
    const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'direct', members: ['bob'] });
    const { id } = answer.body.conversation as { id: string };
    for (const patch of [{ title: 'x' }, { avatarUrl: 'https://example.org/' }, { frozen: true }, { slowModeSeconds: 1 }]) {
      await refused(id, 'ann', 'PATCH', '', patch, '403 forbidden');
    }
    expect((await call('bob', 'PATCH', id, { metadata: { a: 1 }, retentionSeconds: 60 })).body).toMatchObject({ changed: true });
    for (const [method, path] of [
      ['PUT', 'members/cho'],
      ['PUT', 'owner'],
      ['PUT', 'members/bob/mute'],
      ['PUT', 'bans/bob'],
      ['DELETE', 'members/bob'],
    ] as const) {
      await refused(id, 'ann', method, path, path === 'owner' ? { userId: 'bob' } : undefined, '403 forbidden');
    }
  });
});
