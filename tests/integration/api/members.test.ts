import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { listenToConversation, listenToUser } from './support/listener.ts';

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

async function newConversation(type: 'group' | 'channel' | 'direct', members: string[]): Promise<string> {
  const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type, members });
  return (answer.body.conversation as { id: string }).id;
}

const put = (actor: string, id: string, userId: string, body?: unknown): Promise<ApiAnswer> =>
  server.as(app, actor)('PUT', `/v1/conversations/${id}/members/${userId}`, body);
const remove = (actor: string, id: string, userId: string): Promise<ApiAnswer> =>
  server.as(app, actor)('DELETE', `/v1/conversations/${id}/members/${userId}`);
const send = (actor: string, id: string, clientMsgId: string): Promise<ApiAnswer> =>
  server.as(app, actor)('POST', `/v1/conversations/${id}/messages`, { clientMsgId, body: { text: clientMsgId } });
const code = (answer: ApiAnswer): string => (answer.status === 200 ? '200' : `${answer.status} ${answer.body.code}`);
const membership = async (id: string, userId: string): Promise<unknown> =>
  (await database.query('select state from feed where user_id = $1 and subject = $2', [userId, `member/${id}`]))[0]?.state;
const outboxIsEmpty = () => waitFor('the outbox to be empty', async () => (await database.query('select 1 from outbox')).length === 0);

describe('members', () => {
  it('join, are given roles and leave: one entry each, the feed written before the answer, nothing for a repeat', async () => {
    const id = await newConversation('group', ['bob']);
    expect((await put('ann', id, 'cho')).body).toEqual({ seq: 2, changed: true });
    expect(await membership(id, 'cho')).toEqual({ role: 'member', state: 'joined', joinedSeq: 2 });
    expect((await put('ann', id, 'cho')).body).toEqual({ seq: null, changed: false });
    expect((await put('ann', id, 'cho', { role: 'moderator' })).body).toEqual({ seq: 3, changed: true });
    expect(await membership(id, 'cho')).toEqual({ role: 'moderator', state: 'joined', joinedSeq: 2 });
    expect((await remove('cho', id, 'bob')).body).toEqual({ seq: 4, changed: true });
    expect(await membership(id, 'bob')).toMatchObject({ state: 'left', leftSeq: 4 });
    expect((await remove('cho', id, 'bob')).body).toEqual({ seq: null, changed: false });
    expect((await remove('cho', id, 'me')).body).toEqual({ seq: 5, changed: true });
    const entries = await database.query('select type, sender_id, body from entry where conversation_id = $1 and seq > 1 order by seq', [
      id,
    ]);
    expect(entries).toEqual([
      { type: 'member.joined', sender_id: '$system', body: { userId: 'cho', role: 'member', by: 'ann' } },
      { type: 'member.updated', sender_id: '$system', body: { userId: 'cho', role: 'moderator', by: 'ann' } },
      { type: 'member.left', sender_id: '$system', body: { userId: 'bob', by: 'cho', reason: 'removed' } },
      { type: 'member.left', sender_id: '$system', body: { userId: 'cho', by: 'cho', reason: 'left' } },
    ]);
    await outboxIsEmpty();
  });

  it('are refused by role, and the last owner stays', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    expect(code(await put('bob', id, 'dee'))).toBe('403 forbidden');
    expect(code(await remove('bob', id, 'cho'))).toBe('403 forbidden');
    expect(code(await put('ann', id, 'nobody'))).toBe('400 user_unknown');
    expect(code(await remove('ann', id, 'me'))).toBe('409 last_owner');
    expect(code(await put('ann', id, 'ann', { role: 'member' }))).toBe('409 last_owner');
    expect(code(await put('ann', id, 'bob', { role: 'owner' }))).toBe('200');
    expect(code(await remove('ann', id, 'ann'))).toBe('200');
    expect(code(await put('ann', id, 'dee'))).toBe('404 not_found');
    expect(code(await remove('dee', id, 'bob'))).toBe('404 not_found');
  });

  it('of a direct conversation are its two for ever; leaving hides it, creating shows it again', async () => {
    const id = await newConversation('direct', ['dee']);
    expect(code(await put('ann', id, 'cho'))).toBe('403 forbidden');
    expect(code(await remove('ann', id, 'dee'))).toBe('403 forbidden');
    await send('dee', id, 'hi');
    expect((await remove('ann', id, 'me')).body).toEqual({ seq: 2, changed: true });
    const pref = async () =>
      (await database.query('select state from feed where user_id = $1 and subject = $2', ['ann', `pref/${id}`]))[0]?.state;
    expect(await pref()).toMatchObject({ hiddenSeq: 2 });
    expect((await send('dee', id, 'still')).status).toBe(201);
    expect(await newConversation('direct', ['dee'])).toBe(id);
    expect(await pref()).not.toHaveProperty('hiddenSeq');
    await outboxIsEmpty();
  });
});

describe('keys', () => {
  it('reach members and watchers after a commit, with the newest seq, and the outbox is emptied', async () => {
    const id = await newConversation('group', ['bob']);
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    const eve = await listenToUser(server.bus, 'demo', 'eve');
    const watcher = await listenToConversation(server.bus, 'demo', id);
    await Promise.all(Array.from({ length: 50 }, (_, n) => send('ann', id, `k${n}`)));
    await waitFor('the key', () => bob.highest(`c/${id}`) === 51 && watcher.highest(`c/${id}`) === 51);
    expect(eve.messages).toEqual([]);
    const seqs = bob.messages.flatMap((message) => (message.kind === 'key' ? [message.seq] : []));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    await outboxIsEmpty();
  });

  it('name no seq above the committed head, at the moment they are published', async () => {
    const id = await newConversation('group', ['bob']);
    const phantoms: unknown[] = [];
    const checks: Promise<void>[] = [];
    await server.bus.subscribe('demo/u/bob', (message) => {
      if (message.kind !== 'key' || message.log !== `c/${id}`) return;
      checks.push(
        database.query<{ last_seq: string }>('select last_seq from conversation where id = $1', [id]).then(([row]) => {
          if (row === undefined || Number(row.last_seq) < message.seq) phantoms.push(message);
        }),
      );
    });
    await Promise.all(Array.from({ length: 30 }, (_, n) => send('ann', id, `p${n}`)));
    await waitFor('keys', () => checks.length > 0);
    await Promise.all(checks);
    expect(phantoms).toEqual([]);
  });

  it('stop for who is removed, whose feed says so; who joins hears from the joining on; copies elsewhere are dropped', async () => {
    const id = await newConversation('group', ['bob']);
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    const cho = await listenToUser(server.bus, 'demo', 'cho');
    const watcher = await listenToConversation(server.bus, 'demo', id);
    await send('ann', id, 'one');
    await waitFor('the first key', () => bob.highest(`c/${id}`) === 2);
    await remove('ann', id, 'bob');
    await put('ann', id, 'cho');
    await send('ann', id, 'two');
    await waitFor('the last key', () => cho.highest(`c/${id}`) === 5);
    expect(bob.highest(`c/${id}`)).toBe(2);
    await waitFor('the feed key', () => bob.highest('u/bob') > 0);
    expect(watcher.messages.filter((message) => message.kind === 'control')).toEqual([
      { kind: 'control', conversationId: id, memberVersion: 2, head: 3 },
      { kind: 'control', conversationId: id, memberVersion: 3, head: 4 },
    ]);
  });

  it('of feeds name a version that is there to be pulled', async () => {
    const id = await newConversation('group', ['bob']);
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    await send('ann', id, 'one');
    await server.as(app, 'bob')('PUT', `/v1/conversations/${id}/read`, { seq: 2 });
    const [row] = await database.query<{ feed_version: string }>(`select feed_version from chat_user where app_id = 'demo' and id = 'bob'`);
    await waitFor('the feed key', () => bob.highest('u/bob') === Number(row?.feed_version));
  });
});
