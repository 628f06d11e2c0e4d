import { directConversationId } from '@nudge/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { setLockTimeout } from './support/locks.ts';

let database: TestDatabase;
let app: TestApp;
let other: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  // Many contend for one row on purpose; that nobody waits longer than 250 ms is tested elsewhere.
  await setLockTimeout(database, '20s', 'create_conversation');
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee']);
  other = await createTestApp(database, 'other', ['ann', 'bob']);
  server = await startApiServer(database, {
    limits: { membersPerRequest: 5, metadataBytes: 100, conversationsPerUser: 40 },
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const conversationOf = (answer: { body: Record<string, unknown> }): Record<string, unknown> =>
  answer.body.conversation as Record<string, unknown>;

describe('POST /v1/conversations', () => {
  it('creates a group with its creator as owner and the others as members, and writes their feeds before it answers', async () => {
    const answer = await server.as(app, 'ann')('POST', '/v1/conversations', {
      type: 'group',
      members: ['bob', 'cho', 'bob', 'ann'],
      title: 'Lunch',
      metadata: { colour: 'red' },
    });
    expect(answer.status).toBe(201);
    const conversation = conversationOf(answer);
    expect(conversation).toMatchObject({
      type: 'group',
      title: 'Lunch',
      metadata: { colour: 'red' },
      createdBy: 'ann',
      memberCount: 3,
      lastSeq: 1,
      oldestSeq: 1,
    });
    const feed = await database.query('select user_id, state from feed where subject = $1 order by user_id', [`member/${conversation.id}`]);
    expect(feed).toEqual([
      { user_id: 'ann', state: { role: 'owner', state: 'joined', joinedSeq: 1 } },
      { user_id: 'bob', state: { role: 'member', state: 'joined', joinedSeq: 1 } },
      { user_id: 'cho', state: { role: 'member', state: 'joined', joinedSeq: 1 } },
    ]);
  });

  it('has one direct conversation per pair, whoever asks and however many at once', async () => {
    const asked = await runTogether(
      Array.from({ length: 20 }, (_, n) => () => {
        const [from, to] = n % 2 === 0 ? ['ann', 'bob'] : ['bob', 'ann'];
        return server.as(app, from as string)('POST', '/v1/conversations', { type: 'direct', members: [to] });
      }),
    );
    const answers = asked.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
    expect(answers.filter((answer) => answer?.status === 201)).toHaveLength(1);
    expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(19);
    const id = directConversationId('demo', 'ann', 'bob');
    for (const answer of answers) expect(answer?.body.conversation).toMatchObject({ id });
  });

  it('keeps apps apart: the same pair elsewhere is another conversation', async () => {
    const answer = await server.as(other, 'ann')('POST', '/v1/conversations', { type: 'direct', members: ['bob'] });
    expect(answer.status).toBe(201);
    expect(conversationOf(answer).id).not.toBe(directConversationId('demo', 'ann', 'bob'));
  });

  it('answers the same group for the same key of the same creator, and only then', async () => {
    const request = { type: 'group', members: ['bob'], key: 'trip' };
    const first = await server.as(app, 'ann')('POST', '/v1/conversations', request);
    const again = await server.as(app, 'ann')('POST', '/v1/conversations', request);
    const others = await server.as(app, 'bob')('POST', '/v1/conversations', { ...request, members: ['ann'] });
    expect([first.status, again.status, others.status]).toEqual([201, 200, 201]);
    expect(conversationOf(again)).toEqual(conversationOf(first));
    expect(conversationOf(others).id).not.toBe(conversationOf(first).id);
  });

  it.each([
    ['a direct conversation with nobody', { type: 'direct' }, 400, 'invalid_request', /exactly one other member/],
    ['a direct conversation with oneself', { type: 'direct', members: ['ann'] }, 400, 'invalid_request', /exactly one other member/],
    ['a direct conversation of three', { type: 'direct', members: ['bob', 'cho'] }, 400, 'invalid_request', /exactly one other member/],
    ['a direct conversation with a key', { type: 'direct', members: ['bob'], key: 'x' }, 400, 'invalid_request', /once per pair/],
    ['a user who does not exist', { type: 'group', members: ['bob', 'nobody'] }, 400, 'user_unknown', /nobody/],
    [
      'more members than a request may name',
      { type: 'group', members: ['a', 'b', 'c', 'd', 'e', 'f'] },
      400,
      'invalid_request',
      /at most 5 members/,
    ],
    ['metadata over the limit', { type: 'group', metadata: { text: 'x'.repeat(100) } }, 413, 'too_large', /metadataBytes/],
    ['a type that does not exist', { type: 'broadcast' }, 400, 'invalid_request', /./],
  ])('refuses %s', async (_, request, status, code, says) => {
    const answer = await server.as(app, 'ann')('POST', '/v1/conversations', request);
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(code);
    expect(JSON.stringify(answer.body)).toMatch(says);
  });

  it('takes a direct pair that names its creator too', async () => {
    const answer = await server.as(app, 'cho')('POST', '/v1/conversations', {
      type: 'direct',
      members: ['cho', 'dee'],
    });
    expect(answer.status).toBe(201);
  });

  it('refuses a user who is in too many conversations, but not a conversation that exists', async () => {
    await database.query(`insert into chat_user (app_id, id) values ('demo', 'full')`);
    await server.as(app, 'full')('POST', '/v1/conversations', { type: 'direct', members: ['dee'] });
    await database.query(
      `insert into feed (app_id, user_id, subject, version, src_version, state)
       select 'demo', 'full', 'member/' || gen_random_uuid(), n, 1, '{"role":"member","state":"joined","joinedSeq":1}' from generate_series(1, 40) n`,
    );
    const refused = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['full'] });
    expect(refused.status).toBe(400);
    expect(refused.body.detail).toMatch(/conversationsPerUser.*full/);
    const existing = await server.as(app, 'full')('POST', '/v1/conversations', { type: 'direct', members: ['dee'] });
    expect(existing.status).toBe(200);
  });
});

describe('GET /v1/conversations/{id} and its members', () => {
  it('shows them to members only, page by page', async () => {
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', {
      type: 'group',
      members: ['bob', 'cho', 'dee'],
    });
    const { id } = conversationOf(created);
    const seen = await server.as(app, 'cho')('GET', `/v1/conversations/${id}`);
    expect(seen.status).toBe(200);
    expect(conversationOf(seen)).toEqual(conversationOf(created));

    const first = await server.as(app, 'cho')('GET', `/v1/conversations/${id}/members?limit=3`);
    expect(first.body).toEqual({
      items: [
        { userId: 'ann', role: 'owner', joinedSeq: 1 },
        { userId: 'bob', role: 'member', joinedSeq: 1 },
        { userId: 'cho', role: 'member', joinedSeq: 1 },
      ],
      version: 1,
      nextCursor: 'cho',
    });
    const second = await server.as(app, 'cho')('GET', `/v1/conversations/${id}/members?limit=3&cursor=cho`);
    expect(second.body).toEqual({ items: [{ userId: 'dee', role: 'member', joinedSeq: 1 }], version: 1 });
  });

  it('answers alike for what is missing, foreign or not one`s own', async () => {
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = conversationOf(created);
    const bodies: unknown[] = [];
    for (const path of [`/v1/conversations/${id}`, `/v1/conversations/${id}/members`]) {
      for (const call of [server.as(app, 'dee'), server.as(other, 'ann')]) bodies.push(await call('GET', path));
      bodies.push(await server.as(app, 'ann')('GET', path.replace(String(id), '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e')));
    }
    const plain = bodies.map((answer) => {
      const { status, body } = answer as { status: number; body: Record<string, unknown> };
      return { status, ...body, requestId: '' };
    });
    expect(plain[0]).toMatchObject({ status: 404, code: 'not_found' });
    for (const answer of plain) expect(answer).toEqual(plain[0]);
  });
});
