import { randomUUID } from 'node:crypto';
import { mintToken } from '@nudge/server-kit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { setLockTimeout } from './support/locks.ts';
import { sendPipelined } from './support/pipelined.ts';

const appends = ['append_one', 'append_few', 'append_entries_v2'];

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let server: ApiServer;
let second: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  // Many contend for one row on purpose; what comes of the product's own bound is the subject of one test below.
  await setLockTimeout(database, '20s', ...appends);
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
  other = await createTestApp(database, 'other', ['ann', 'bob']);
  server = await startApiServer(database);
  second = await startApiServer(database);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function newConversation(type: 'group' | 'channel' = 'group', members = ['bob']): Promise<string> {
  const answer = await server.as(app, 'ann')('POST', '/v1/conversations', { type, members });
  return (answer.body.conversation as { id: string }).id;
}

function send(
  userId: string,
  conversationId: string,
  clientMsgId: string,
  body: unknown = { text: 'hello' },
  at = server,
): Promise<ApiAnswer> {
  return at.as(app, userId)('POST', `/v1/conversations/${conversationId}/messages`, { clientMsgId, body });
}

const code = (answer: ApiAnswer): string => `${answer.status} ${answer.body.code}`;

describe('POST /v1/conversations/{id}/messages', () => {
  it('appends, stores the body unchanged, and answers a repeat with the first seq', async () => {
    const id = await newConversation();
    const body = { z: 1, text: 'grüß dich 👋', a: [1.5, -0.25, true, null, { deep: ['x'] }] };
    const first = await send('ann', id, 'm1', body);
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ conversationId: id, seq: 2, asSent: true });
    const again = await send('ann', id, 'm1', { a: body.a, text: body.text, z: 1 });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const rows = await database.query('select body from entry where conversation_id = $1 and seq = 2', [id]);
    expect(rows).toEqual([{ body }]);
  });

  it('refuses the same clientMsgId for another body, and takes it from another sender', async () => {
    const id = await newConversation();
    await send('ann', id, 'm1', { text: 'one' });
    expect(code(await send('ann', id, 'm1', { text: 'two' }))).toBe('409 client_msg_id_reused');
    expect((await send('bob', id, 'm1', { text: 'two' })).status).toBe(201);
  });

  it('makes one entry of 200 concurrent sends of one message over two instances', async () => {
    const id = await newConversation();
    const results = await runTogether(
      Array.from({ length: 200 }, (_, n) => () => send('ann', id, 'once', { text: 'x' }, n % 2 === 0 ? server : second)),
    );
    const answers = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
    expect(answers.filter((answer) => answer?.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(199);
    expect(new Set(answers.map((answer) => JSON.stringify(answer?.body)))).toHaveProperty('size', 1);
    expect(await database.query('select count(*)::int as n from entry where conversation_id = $1', [id])).toEqual([{ n: 2 }]);
  });

  it('gives 400 concurrent sends of three users over two instances a gapless order that is everybody`s own', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    const users = ['ann', 'bob', 'cho'];
    const answers = await Promise.all(
      Array.from({ length: 400 }, async (_, n) => {
        const user = users[n % 3] as string;
        const answer = await send(user, id, `m${n}`, { text: `${n}` }, n % 2 === 0 ? server : second);
        return { n, user, answer };
      }),
    );
    const seqs = answers.map(({ answer }) => answer.body.seq as number).sort((a, b) => a - b);
    expect(seqs).toEqual(Array.from({ length: 400 }, (_, n) => n + 2));
    const rows = await database.query<{ seq: string; sender_id: string; text: string }>(
      `select seq, sender_id, body ->> 'text' as text from entry where conversation_id = $1 and type = 'message'`,
      [id],
    );
    const stored = new Map(rows.map((row) => [Number(row.seq), `${row.sender_id} ${row.text}`]));
    for (const { n, user, answer } of answers) expect(stored.get(answer.body.seq as number)).toBe(`${user} ${n}`);
  });

  it('keeps the order of one sender who does not wait for answers', async () => {
    const id = await newConversation();
    const seqs = await sendPipelined(server.url, mintToken({ key: app.signingKey, userId: 'ann', ttlSeconds: 60 }).token, id, 100);
    expect(seqs).toEqual(Array.from({ length: 100 }, (_, n) => n + 2));
  });

  it('answers alike for a conversation that is missing, another app`s, not one`s own, left, or closed to a banned user', async () => {
    const id = await newConversation('group', ['bob', 'cho']);
    await server.as(app, 'cho')('DELETE', `/v1/conversations/${id}/members/me`);
    await database.query(`update member set banned_until = now() + interval '1 hour' where conversation_id = $1 and user_id = 'bob'`, [id]);
    const foreign = await server.as(other, 'ann')('POST', `/v1/conversations/${id}/messages`, {
      clientMsgId: 'x',
      body: {},
    });
    const answers = [await send('ann', randomUUID(), 'x'), foreign, await send('cho', id, 'x'), await send('bob', id, 'x')];
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect({ ...answer.body, requestId: '' }).toEqual({ ...answers[0]?.body, requestId: '' });
    }
  });

  it('refuses by role, freeze, mute and slow mode, but answers what was sent before', async () => {
    const channel = await newConversation('channel');
    expect(code(await send('bob', channel, 'x'))).toBe('403 forbidden');

    const id = await newConversation();
    expect((await send('bob', id, 'before')).status).toBe(201);
    await database.query(`update conversation set frozen_at = now() where id = $1`, [id]);
    expect(code(await send('bob', id, 'x'))).toBe('403 frozen');
    await database.query(`update conversation set frozen_at = null where id = $1`, [id]);
    await database.query(`update member set muted_until = now() + interval '1 hour' where conversation_id = $1 and user_id = 'bob'`, [id]);
    expect(code(await send('bob', id, 'x'))).toBe('403 muted');
    expect((await send('bob', id, 'before')).status).toBe(200);
    await database.query(`update member set muted_until = null where conversation_id = $1`, [id]);

    await database.query(`update conversation set slow_mode_s = 30 where id = $1`, [id]);
    const slow = await send('bob', id, 'x');
    expect(code(slow)).toBe('429 slow_mode');
    const wait = Number(slow.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(20);
    expect(wait).toBeLessThanOrEqual(30);
    expect((await send('bob', id, 'before')).status).toBe(200);
  });

  it('refuses a body over the limit and names it', async () => {
    const id = await newConversation();
    const answer = await send('ann', id, 'big', { text: 'x'.repeat(16 * 1024) });
    expect(code(answer)).toBe('413 too_large');
    expect(answer.body.detail).toMatch(/messageBodyBytes/);
  });

  it('refuses what the database would refuse at the edge', async () => {
    const id = await newConversation();
    for (const body of [{ text: 'a\u0000b' }, { n: 2 ** 53 + 2 }, 'text', [], null]) {
      expect(code(await send('ann', id, 'x', body))).toBe('400 invalid_request');
    }
    expect(code(await send('ann', id, '', {}))).toBe('400 invalid_request');
  });

  it('is refused with overloaded when too many sends wait, and none is lost', async () => {
    await using small = await startApiServer(database, { limits: { appendQueue: 10 } });
    const id = await newConversation();
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => send('ann', id, `q${n}`, { n }, small)));
    const accepted = answers.filter((answer) => answer.status === 201);
    const refused = answers.filter((answer) => answer.status === 503);
    expect(accepted.length + refused.length).toBe(60);
    for (const answer of refused) {
      expect(answer.body.code).toBe('overloaded');
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await database.query('select count(*)::int as n from entry where conversation_id = $1', [id])).toEqual([
      { n: accepted.length + 1 },
    ]);
  });
});

describe('a conversation whose row is locked elsewhere', () => {
  it('does not delay the others, is refused with overloaded, and works again afterwards', async () => {
    const stuck = await newConversation();
    const fine = await newConversation();
    const holder = new pg.Client({
      connectionString: database.connectionString,
      application_name: 'nudge-test-holder',
    });
    await holder.connect();
    await setLockTimeout(database, '250ms', ...appends);
    try {
      await holder.query('begin');
      await holder.query('select 1 from conversation where id = $1 for update', [stuck]);
      const results = await runTogether([
        () => send('ann', stuck, 's0'),
        ...Array.from({ length: 20 }, (_, n) => () => send('ann', fine, `f${n}`)),
      ]);
      const [first, ...rest] = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
      for (const answer of rest) expect(answer?.status).toBe(201);
      expect(first === undefined ? '' : code(first)).toBe('503 overloaded');

      // The next one waits until the row is free, however long what happens beside it takes.
      await setLockTimeout(database, '8s', 'append_one');
      const later = send('ann', stuck, 's1');
      const started = performance.now();
      expect((await send('ann', fine, 'beside')).status).toBe(201);
      expect(performance.now() - started).toBeLessThan(5_000);
      await holder.query('commit');
      expect((await later).status).toBe(201);
    } finally {
      await holder.end();
      await setLockTimeout(database, '20s', ...appends);
    }
  });
});

describe('PUT /v1/conversations/{id}/read', () => {
  it('moves forward only, is clamped to the head, counts what is unread and tells the own devices', async () => {
    const id = await newConversation();
    for (let n = 0; n < 5; n += 1) await send('ann', id, `r${n}`);
    const mark = (seq: number): Promise<ApiAnswer> => server.as(app, 'bob')('PUT', `/v1/conversations/${id}/read`, { seq });
    expect((await mark(3)).body).toEqual({ readSeq: 3, unread: 3 });
    expect((await mark(2)).body).toEqual({ readSeq: 3, unread: 3 });
    expect(await database.query('select state from feed where subject = $1', [`read/${id}`])).toEqual([{ state: { readSeq: 3 } }]);
    expect((await mark(1_000)).body).toEqual({ readSeq: 6, unread: 0 });
    expect(await database.query('select state from feed where subject = $1', [`read/${id}`])).toEqual([{ state: { readSeq: 6 } }]);
  });

  it('is 404 for who is no member', async () => {
    const id = await newConversation();
    expect(code(await server.as(app, 'cho')('PUT', `/v1/conversations/${id}/read`, { seq: 1 }))).toBe('404 not_found');
    expect(code(await server.as(other, 'ann')('PUT', `/v1/conversations/${id}/read`, { seq: 1 }))).toBe('404 not_found');
  });
});
