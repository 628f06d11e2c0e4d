import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { refusedWhole } from './support/half-done.ts';

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let reader: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee']);
  other = await createTestApp(database, 'other', ['ann']);
  reader = await createTestApp(database, 'reader', ['ann'], ['messages:read']);
  server = await startApiServer(database);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const admin = (method: string, path: string, body?: unknown, by = app): Promise<ApiAnswer> =>
  server.asServer(by)(method, `/v1/admin/conversations/${path}`, body);
const call = (userId: string, method: string, path: string, body?: unknown): Promise<ApiAnswer> =>
  server.as(app, userId)(method, `/v1/conversations/${path}`, body);
const refused = (id: string, method: string, path: string, body: unknown, code: string): Promise<ApiAnswer> =>
  refusedWhole(database, id, () => admin(method, path === '' ? id : `${id}/${path}`, body), code);
const entry = async (id: string, seq: number): Promise<unknown> =>
  (await database.query('select type, sender_id, body from entry where conversation_id = $1 and seq = $2', [id, seq]))[0];

async function newConversation(type: 'group' | 'direct' = 'group', members = ['bob', 'cho']): Promise<string> {
  const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type, members });
  return (answer.body.conversation as { id: string }).id;
}

describe('on behalf of a member', () => {
  it('a message is sent past freeze, mute and slow mode, once per clientMsgId of the member', async () => {
    const id = await newConversation();
    await call('ann', 'PATCH', id, { frozen: true, slowModeSeconds: 60 });
    await call('ann', 'PUT', `${id}/members/bob/mute`);
    const send = { senderId: 'bob', clientMsgId: 'a', body: { text: 'hi' } };
    const first = await admin('POST', `${id}/messages`, send);
    expect(first).toMatchObject({ status: 201, body: { seq: 4, asSent: true } });
    expect(await admin('POST', `${id}/messages`, send)).toMatchObject({ status: 200, body: first.body });
    expect(await call('bob', 'POST', `${id}/messages`, { clientMsgId: 'a', body: { text: 'hi' } })).toMatchObject({
      status: 200,
      body: { seq: 4 },
    });
    await refused(id, 'POST', 'messages', { ...send, body: {} }, '409 client_msg_id_reused');
    expect(await entry(id, 4)).toMatchObject({ sender_id: 'bob' });
  });

  it('nothing is sent for who is no member, to strangers mentioned, in another app or later', async () => {
    const id = await newConversation();
    const send = { senderId: 'dee', clientMsgId: randomUUID(), body: {} };
    await refused(id, 'POST', 'messages', send, '404 not_found');
    await refused(id, 'POST', 'messages', { ...send, senderId: 'ann', mentions: ['dee'] }, '400 user_unknown');
    await refused(id, 'POST', 'messages', { ...send, senderId: 'ann', sendAt: '2030-01-01T00:00:00Z' }, '400 invalid_request');
    await refused(id, 'POST', 'messages', { ...send, senderId: 'ann', body: { text: 'x'.repeat(20_000) } }, '413 too_large');
    expect((await admin('POST', `${id}/messages`, { ...send, senderId: 'ann' }, other)).status).toBe(404);
    expect((await admin('POST', `${id}/messages`, { ...send, senderId: 'ann' }, reader)).body.code).toBe('forbidden');
  });
});

describe('the integrator', () => {
  it('edits and redacts any message as $system, and reads its versions until then', async () => {
    const id = await newConversation();
    await call('bob', 'POST', `${id}/messages`, { clientMsgId: 'm', body: { text: 'one' }, mentions: ['cho'] });
    await call('bob', 'PATCH', `${id}/messages/2`, { body: { text: 'two' } });
    expect((await admin('PATCH', `${id}/messages/2`, { body: { text: 'three' }, ifStateSeq: 3 })).body).toEqual({ seq: 4, changed: true });
    expect(await entry(id, 4)).toEqual({ type: 'message.edited', sender_id: '$system', body: { text: 'three' } });
    const { versions } = (await admin('GET', `${id}/messages/2/versions`)).body as { versions: { body: unknown }[] };
    expect(versions).toEqual([
      { body: { text: 'one' }, mentions: ['cho'], writtenAt: expect.any(String) },
      { body: { text: 'two' }, writtenAt: expect.any(String) },
      { body: { text: 'three' }, writtenAt: expect.any(String) },
    ]);
    await refused(id, 'PATCH', 'messages/2', { body: {}, ifStateSeq: 3 }, '409 state_changed');
    await refused(id, 'PATCH', 'messages/1', { body: {} }, '400 invalid_request');
    await refused(id, 'PATCH', 'messages/99', { body: {} }, '404 not_found');
    await refused(id, 'DELETE', 'messages/99', undefined, '404 not_found');
    await refused(id, 'GET', 'messages/99/versions', undefined, '404 not_found');
    expect((await admin('GET', `${id}/messages/2/versions`, undefined, other)).status).toBe(404);
    expect((await admin('DELETE', `${id}/messages/2`)).body).toEqual({ seq: 5, changed: true });
    expect((await admin('DELETE', `${id}/messages/2`)).body).toEqual({ seq: null, changed: false });
    expect((await admin('GET', `${id}/messages/2/versions`)).body).toEqual({ versions: [] });
    await refused(id, 'PATCH', 'messages/2', { body: {} }, '409 message_redacted');
  });

  it('changes conversations and members as $system, within what the form allows', async () => {
    const id = await newConversation();
    expect((await admin('PATCH', id, { title: 'Renamed', retentionSeconds: 60 })).body).toEqual({ seq: 2, changed: true });
    expect(await entry(id, 2)).toMatchObject({ sender_id: '$system', body: { by: '$system', title: 'Renamed', retentionSeconds: 60 } });
    expect((await admin('PUT', `${id}/members/dee`, { role: 'moderator' })).body).toEqual({ seq: 3, changed: true });
    expect(await entry(id, 3)).toMatchObject({ type: 'member.joined', body: { userId: 'dee', by: '$system', role: 'moderator' } });
    expect((await admin('DELETE', `${id}/members/dee`)).body).toEqual({ seq: 4, changed: true });
    expect(await entry(id, 4)).toMatchObject({ type: 'member.left', body: { userId: 'dee', by: '$system', reason: 'removed' } });
    expect((await admin('DELETE', `${id}/members/dee`)).body).toEqual({ seq: null, changed: false });
    await refused(id, 'PUT', 'members/nobody', undefined, '400 user_unknown');
    await refused(id, 'PUT', 'members/ann', { role: 'member' }, '409 last_owner');
    await refused(id, 'DELETE', 'members/ann', undefined, '409 last_owner');
    await refused(id, 'PATCH', '', { metadata: { a: 'x'.repeat(5_000) } }, '413 too_large');
    expect((await admin('PATCH', randomUUID(), { title: 'x' })).status).toBe(404);
    expect((await admin('PATCH', id, { title: 'x' }, other)).status).toBe(404);
    const direct = await newConversation('direct', ['bob']);
    await refused(direct, 'PUT', 'members/cho', undefined, '403 forbidden');
    await refused(direct, 'DELETE', 'members/bob', undefined, '403 forbidden');
    expect((await admin('PATCH', direct, { title: 'x' })).body).toMatchObject({ changed: true });
  });
});
