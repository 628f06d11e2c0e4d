import { randomUUID } from 'node:crypto';
import { conversationLog } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { refusedWhole } from './support/half-done.ts';
import { listenToConversation, listenToUser } from './support/listener.ts';

let database: TestDatabase;
let app: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee']);
  server = await startApiServer(database);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const call = (userId: string, method: string, path: string, body?: unknown): Promise<ApiAnswer> =>
  server.as(app, userId)(method, `/v1/conversations/${path}`, body);

async function newConversation(type: 'group' | 'channel' | 'direct' = 'group', members = ['bob'], extra: object = {}): Promise<string> {
  const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type, members, ...extra });
  return (answer.body.conversation as { id: string }).id;
}

async function send(userId: string, id: string, extra: object = {}): Promise<number> {
  const answer = await call(userId, 'POST', `${id}/messages`, { clientMsgId: randomUUID(), body: { text: 'hello' }, ...extra });
  expect(answer.status).toBe(201);
  return answer.body.seq as number;
}

const entry = async (id: string, seq: number): Promise<Record<string, unknown>> => {
  const rows = await database.query('select * from entry where conversation_id = $1 and seq = $2', [id, seq]);
  return rows[0] as Record<string, unknown>;
};
const thumb = encodeURIComponent('👍');
const refused = (id: string, userId: string, method: string, path: string, body: unknown, code: string) =>
  refusedWhole(database, id, () => call(userId, method, `${id}/${path}`, body), code);

describe('an edit', () => {
  it('is one entry, folded into its target; the same again changes nothing, and the same clientMsgId answers with the first seq', async () => {
    const id = await newConversation();
    const seq = await send('bob', id);
    const edit = { clientMsgId: 'e1', body: { text: 'better' }, ifStateSeq: 0 };
    expect(await call('bob', 'PATCH', `${id}/messages/${seq}`, edit)).toMatchObject({ status: 200, body: { seq: 3, changed: true } });
    expect(await call('bob', 'PATCH', `${id}/messages/${seq}`, edit)).toMatchObject({ status: 200, body: { seq: 3, changed: true } });
    const same = await call('bob', 'PATCH', `${id}/messages/${seq}`, { body: { text: 'better' } });
    expect(same).toMatchObject({ status: 200, body: { seq: null, changed: false } });
    expect(await entry(id, seq)).toMatchObject({ body: { text: 'better' }, state_seq: '3' });
    expect(await entry(id, 3)).toMatchObject({
      type: 'message.edited',
      sender_id: 'bob',
      target_seq: String(seq),
      body: { text: 'better' },
    });
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, { ...edit, body: { text: 'other' } }, '409 client_msg_id_reused');
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, { ...edit, clientMsgId: 'e2', ifStateSeq: 1 }, '409 state_changed');
  });

  it('tells the users it mentions at once, and refuses strangers', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    const seq = await send('ann', id);
    const cho = await listenToUser(server.bus, 'demo', 'cho');
    await refused(id, 'ann', 'PATCH', `messages/${seq}`, { body: {}, mentions: ['dee'] }, '400 user_unknown');
    await call('ann', 'PATCH', `${id}/messages/${seq}`, { body: { text: '@cho' }, mentions: ['cho'] });
    await expect.poll(() => cho.messages).toContainEqual({ kind: 'key', log: conversationLog(id), seq: 3, direct: true });
  });

  it('is refused for others, system and acting entries, redacted ones, missing ones, and for who may not send', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    const seq = await send('bob', id);
    const edit = { body: { text: 'x' } };
    await refused(id, 'ann', 'PATCH', `messages/${seq}`, edit, '403 forbidden');
    await refused(id, 'ann', 'PATCH', 'messages/1', edit, '400 invalid_request');
    await refused(id, 'ann', 'PATCH', 'messages/99', edit, '404 not_found');
    await refused(id, 'dee', 'PATCH', `messages/${seq}`, edit, '404 not_found');
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, { body: { text: 'x'.repeat(20_000) } }, '413 too_large');
    await call('bob', 'PUT', `${id}/messages/${seq}/reactions/${thumb}`);
    await refused(id, 'bob', 'PATCH', 'messages/3', edit, '400 invalid_request');
    await call('ann', 'PUT', `${id}/members/bob/mute`);
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, edit, '403 muted');
    await call('ann', 'DELETE', `${id}/members/bob/mute`);
    await call('ann', 'PATCH', id, { frozen: true });
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, edit, '403 frozen');
    await call('ann', 'PATCH', id, { frozen: false });
    await call('bob', 'DELETE', `${id}/messages/${seq}`);
    await refused(id, 'bob', 'PATCH', `messages/${seq}`, edit, '409 message_redacted');
  });

  it('does not reach what a member that came later may not see', async () => {
    const id = await newConversation('group', ['bob'], { history: 'since_join' });
    const seq = await send('ann', id);
    await call('ann', 'PUT', `${id}/members/cho`, { role: 'moderator' });
    for (const [method, path] of [
      ['DELETE', `messages/${seq}`],
      ['PUT', `messages/${seq}/pin`],
      ['PUT', `messages/${seq}/reactions/${thumb}`],
    ] as const) {
      await refused(id, 'cho', method, path, undefined, '404 not_found');
    }
    const reply = { clientMsgId: 'r', body: {}, replyTo: seq };
    const answer = await refused(id, 'cho', 'POST', 'messages', reply, '400 invalid_request');
    expect(answer.body.issues).toEqual([{ path: 'body.replyTo', message: expect.any(String) }]);
  });
});

describe('a redaction', () => {
  it('empties the message and its versions for ever, and tells holders of copies to drop them', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    const seq = await send('bob', id, { mentions: ['cho'] });
    await call('bob', 'PATCH', `${id}/messages/${seq}`, { body: { text: 'two' }, mentions: ['cho'] });
    const watcher = await listenToConversation(server.bus, 'demo', id);
    await refused(id, 'cho', 'DELETE', `messages/${seq}`, undefined, '403 forbidden');
    expect((await call('ann', 'DELETE', `${id}/messages/${seq}`)).body).toEqual({ seq: 4, changed: true });
    expect((await call('ann', 'DELETE', `${id}/messages/${seq}`)).body).toEqual({ seq: null, changed: false });
    expect(await entry(id, seq)).toMatchObject({ body: null, mentions: null });
    expect(await entry(id, 3)).toMatchObject({ body: null, mentions: null });
    for (const table of ['entry_version', 'mention']) {
      expect(await database.query(`select 1 from ${table} where conversation_id = $1`, [id])).toEqual([]);
    }
    await expect.poll(() => watcher.messages).toContainEqual({ kind: 'control', conversationId: id, memberVersion: 1, head: 4 });
  });

  it('of one`s own is refused by neither a mute nor a freeze', async () => {
    const id = await newConversation();
    const seq = await send('bob', id);
    await call('ann', 'PUT', `${id}/members/bob/mute`);
    await call('ann', 'PATCH', id, { frozen: true });
    expect((await call('bob', 'DELETE', `${id}/messages/${seq}`)).status).toBe(200);
  });
});

describe('reactions', () => {
  it('are one of each per user, counted, and taken back', async () => {
    const id = await newConversation();
    const seq = await send('ann', id);
    const path = `${id}/messages/${seq}/reactions`;
    expect((await call('ann', 'PUT', `${path}/${thumb}`)).body).toEqual({ seq: 3, changed: true });
    expect((await call('ann', 'PUT', `${path}/${thumb}`)).body).toEqual({ seq: null, changed: false });
    // ❤ without its variation selector is the same reaction as with it.
    expect((await call('ann', 'PUT', `${path}/${encodeURIComponent('\u2764')}`)).body).toEqual({ seq: 4, changed: true });
    expect((await call('ann', 'PUT', `${path}/${encodeURIComponent('\u2764\uFE0F')}`)).body).toEqual({ seq: null, changed: false });
    expect((await call('bob', 'PUT', `${path}/${thumb}`)).body).toEqual({ seq: 5, changed: true });
    expect((await entry(id, seq)).reactions).toEqual([
      { emoji: '👍', count: 2, users: ['ann', 'bob'] },
      { emoji: '❤️', count: 1, users: ['ann'] },
    ]);
    expect((await call('ann', 'DELETE', `${path}/${thumb}`)).body).toEqual({ seq: 6, changed: true });
    expect(await entry(id, 6)).toMatchObject({ type: 'reaction.removed', body: { emoji: '👍', count: 1, users: ['bob'] } });
    expect((await call('ann', 'DELETE', `${path}/${thumb}`)).body).toEqual({ seq: null, changed: false });
  });

  it('are refused for what is not one emoji, beyond 50 different ones, and where nothing can be added', async () => {
    const id = await newConversation();
    const seq = await send('ann', id);
    for (const text of ['a', '👍👍', '👍a', '1', ' ', 'a'.repeat(100)]) {
      await refused(id, 'ann', 'PUT', `messages/${seq}/reactions/${encodeURIComponent(text)}`, undefined, '400 invalid_request');
    }
    await refused(id, 'ann', 'PUT', `messages/1/reactions/${thumb}`, undefined, '400 invalid_request');
    const emojis = Array.from({ length: 51 }, (_, n) => String.fromCodePoint(0x1f400 + n));
    for (const emoji of emojis.slice(0, 50)) {
      expect((await call('bob', 'PUT', `${id}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`)).status).toBe(200);
    }
    const last = encodeURIComponent(emojis[50] ?? '');
    const answer = await refused(id, 'ann', 'PUT', `messages/${seq}/reactions/${last}`, undefined, '409 limit_reached');
    expect(answer.body.detail).toContain('reactionsPerMessage');
    const known = encodeURIComponent(emojis[0] ?? '');
    expect((await call('ann', 'PUT', `${id}/messages/${seq}/reactions/${known}`)).status).toBe(200);
    await call('ann', 'DELETE', `${id}/messages/${seq}`);
    await refused(id, 'ann', 'PUT', `messages/${seq}/reactions/${thumb}`, undefined, '409 message_redacted');
  });
});

describe('pins', () => {
  it('are for moderators in groups, for both in a direct conversation', async () => {
    const id = await newConversation();
    const seq = await send('bob', id);
    await refused(id, 'bob', 'PUT', `messages/${seq}/pin`, undefined, '403 forbidden');
    expect((await call('ann', 'PUT', `${id}/messages/${seq}/pin`)).body).toEqual({ seq: 3, changed: true });
    expect((await call('ann', 'PUT', `${id}/messages/${seq}/pin`)).body).toEqual({ seq: null, changed: false });
    await refused(id, 'bob', 'DELETE', `messages/${seq}/pin`, undefined, '403 forbidden');
    expect((await call('ann', 'DELETE', `${id}/messages/${seq}/pin`)).body).toEqual({ seq: 4, changed: true });
    const direct = await newConversation('direct', ['bob']);
    const own = await send('bob', direct);
    expect((await call('bob', 'PUT', `${direct}/messages/${own}/pin`)).status).toBe(200);
  });

  it('are at most 100 of a conversation', async () => {
    const id = await newConversation();
    const seqs: number[] = [];
    for (let n = 0; n < 101; n += 1) seqs.push(await send('ann', id));
    for (const seq of seqs.slice(0, 100)) expect((await call('ann', 'PUT', `${id}/messages/${seq}/pin`)).status).toBe(200);
    const answer = await refused(id, 'ann', 'PUT', `messages/${seqs[100]}/pin`, undefined, '409 limit_reached');
    expect(answer.body.detail).toContain('pinsPerConversation');
  });
});
