import { randomUUID } from 'node:crypto';
import { MemoryRateLimiter } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { conversationLog } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { refusedWhole } from './support/half-done.ts';
import { listenToUser } from './support/listener.ts';

let database: TestDatabase;
let app: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee']);
  await database.query(`update app set settings = '{"countableTypes": ["custom.poll"]}' where id = 'demo'`);
  server = await startApiServer(database, { config: { pace: { freeMembers: 0, msPerMember: 60_000, maxMs: 60_000 } } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function newConversation(members = ['bob'], at = server): Promise<string> {
  const answer = await at.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members });
  return (answer.body.conversation as { id: string }).id;
}

const post = (userId: string, id: string, body: object, at = server): Promise<ApiAnswer> =>
  at.as(app, userId)('POST', `/v1/conversations/${id}/messages`, { clientMsgId: randomUUID(), body: { text: 'hello' }, ...body });
const refused = (id: string, userId: string, body: object, code: string): Promise<ApiAnswer> =>
  refusedWhole(database, id, () => post(userId, id, body), code);
const entries = (id: string) =>
  database.query(
    'select seq::int, type, countable, reply_seq::int, mentions, expires_at from entry where conversation_id = $1 and seq > 1 order by seq',
    [id],
  );

describe('a send', () => {
  it('of a custom type counts as unread when the app says so, and that is added to what was sent', async () => {
    const id = await newConversation();
    expect((await post('ann', id, { type: 'custom.poll' })).body).toMatchObject({ seq: 2, asSent: false });
    expect((await post('ann', id, { type: 'custom.ping' })).body).toMatchObject({ seq: 3, asSent: true });
    expect(await entries(id)).toMatchObject([
      { type: 'custom.poll', countable: true },
      { type: 'custom.ping', countable: false },
    ]);
    for (const type of ['custom.', 'custom.A', 'message.edited', 'member.put', 'conversation.updated', `custom.${'x'.repeat(41)}`]) {
      await refused(id, 'ann', { type }, '400 invalid_request');
    }
  });

  it('that replies, or expires, has something added by the server; one with mentions has not', async () => {
    const id = await newConversation();
    expect((await post('ann', id, { mentions: ['bob', 'bob'] })).body).toMatchObject({ seq: 2, asSent: true });
    expect((await post('bob', id, { replyTo: 2 })).body).toMatchObject({ seq: 3, asSent: false });
    expect((await post('bob', id, { expiresIn: 60 })).body).toMatchObject({ seq: 4, asSent: false });
    expect(await entries(id)).toMatchObject([
      { mentions: ['bob'], reply_seq: null, expires_at: null },
      { mentions: null, reply_seq: 2, expires_at: null },
      { mentions: null, reply_seq: null, expires_at: expect.any(Date) },
    ]);
  });

  it('is refused for strangers mentioned, entries that cannot be quoted, and bounds of the form; each field is named', async () => {
    const id = await newConversation();
    const stranger = await refused(id, 'ann', { mentions: ['bob', 'cho'] }, '400 user_unknown');
    expect(stranger.body.issues).toEqual([{ path: 'body.mentions', message: expect.any(String) }]);
    for (const replyTo of [1, 2, 99]) {
      const answer = await refused(id, 'ann', { replyTo }, '400 invalid_request');
      expect(answer.body.issues).toEqual([{ path: 'body.replyTo', message: expect.any(String) }]);
    }
    await refused(id, 'ann', { mentions: Array.from({ length: 51 }, (_, n) => `u${n}`) }, '400 invalid_request');
    for (const body of [
      { replyTo: 0 },
      { replyTo: 1.5 },
      { expiresIn: 0 },
      { expiresIn: 1e9 },
      { sendAt: 'tomorrow' },
      { mentions: 'bob' },
    ]) {
      await refused(id, 'ann', body, '400 invalid_request');
    }
  });

  it('is compared with all its fields; absent, null and empty mean the same', async () => {
    const id = await newConversation();
    await post('ann', id, { mentions: [] });
    const plain = { clientMsgId: 'p' };
    expect((await post('ann', id, plain)).status).toBe(201);
    const same = { ...plain, type: 'message', mentions: [], replyTo: null, expiresIn: null, sendAt: null };
    expect(await post('ann', id, same)).toMatchObject({ status: 200, body: { seq: 3 } });
    for (const other of [{ mentions: ['bob'] }, { replyTo: 2 }, { expiresIn: 5 }, { type: 'custom.poll' }]) {
      await refused(id, 'ann', { ...plain, ...other }, '409 client_msg_id_reused');
    }
    const full = { clientMsgId: 'f', mentions: ['bob'], replyTo: 2, expiresIn: 60, type: 'custom.poll' };
    expect((await post('ann', id, full)).status).toBe(201);
    expect(await post('ann', id, full)).toMatchObject({ status: 200, body: { seq: 4, asSent: false } });
    await refused(id, 'ann', { ...full, expiresIn: 61 }, '409 client_msg_id_reused');
  });

  it('reaches whom it mentions at once, whatever the pace of the group', async () => {
    const id = await newConversation(['bob', 'cho']);
    // Its own fan-out may come after the answer.
    await waitFor(
      'all to know of it',
      async () => (await database.query('select from outbox where conversation_id = $1', [id])).length === 0,
    );
    const [bob, cho] = [await listenToUser(server.bus, 'demo', 'bob'), await listenToUser(server.bus, 'demo', 'cho')];
    await post('ann', id, { mentions: ['bob'] });
    await expect.poll(() => bob.messages).toContainEqual({ kind: 'key', log: conversationLog(id), seq: 2, direct: true });
    expect(cho.highest(conversationLog(id))).toBeLessThan(2);
  });
});

describe('above the rate', () => {
  it('a repeat of what was sent is answered, everything else refused, and repeats only so often', async () => {
    const limiter = new MemoryRateLimiter({ clock: new ManualClock() });
    await using limited = await startApiServer(database, { limits: { writesPer10Seconds: 4 }, limiter });
    const id = await newConversation(['bob'], server);
    const first = { clientMsgId: 'one', body: { text: 'x' } };
    const sent = await post('bob', id, first, limited);
    expect(sent.status).toBe(201);
    for (let n = 0; n < 3; n += 1) expect((await post('bob', id, {}, limited)).status).toBe(201);
    const late = await post('bob', id, {}, limited);
    expect(`${late.status} ${late.body.code}`).toBe('429 rate_limited');
    expect(await post('bob', id, first, limited)).toMatchObject({ status: 200, body: sent.body });
    const reused = await post('bob', id, { ...first, body: { text: 'y' } }, limited);
    expect(`${reused.status} ${reused.body.code}`).toBe('429 rate_limited');
    const misshapen = await post('bob', id, { ...first, body: 1 }, limited);
    expect(`${misshapen.status} ${misshapen.body.code}`).toBe('429 rate_limited');
    expect(misshapen.headers.get('retry-after')).toMatch(/^\d+$/);
    // Four were looked up: the fifth is refused unseen.
    expect((await post('bob', id, first, limited)).status).toBe(429);
    expect(await entries(id)).toHaveLength(4);
  });
});
