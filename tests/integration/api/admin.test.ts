import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';

let database: TestDatabase;
let app: TestApp;
let limited: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo');
  limited = await createTestApp(database, 'limited', [], ['users:write']);
  server = await startApiServer(database);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe('the integrator`s routes', () => {
  it('create users, update them, and mint tokens that work', async () => {
    const admin = server.asServer(app);
    const users = [{ id: 'ann', displayName: 'Ann', avatarUrl: 'https://a.example/ann.png', metadata: { team: 1 } }, { id: 'bob' }];
    expect((await admin('POST', '/v1/admin/users', { users })).body).toEqual({ count: 2 });
    expect((await admin('POST', '/v1/admin/users', { users: [{ id: 'ann', displayName: 'Anna' }] })).status).toBe(200);
    const rows = await database.query(`select id, display_name from chat_user where app_id = 'demo' order by id`);
    expect(rows).toEqual([
      { id: 'ann', display_name: 'Anna' },
      { id: 'bob', display_name: null },
    ]);
    const minted = await admin('POST', '/v1/admin/users/ann/tokens', { ttlSeconds: 60 });
    expect(minted.status).toBe(201);
    const lifetime = Date.parse(String(minted.body.expiresAt)) - Date.now();
    expect(lifetime).toBeGreaterThan(55_000);
    expect(lifetime).toBeLessThanOrEqual(60_000);
    const made = await fetch(`${server.url}/v1/conversations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${minted.body.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'direct', members: ['bob'] }),
    });
    expect(made.status).toBe(201);
    expect((await admin('POST', '/v1/admin/users/nobody/tokens')).status).toBe(404);
  });

  it('create a conversation with thousands of members, whose feeds follow', async () => {
    const admin = server.asServer(app);
    const ids = Array.from({ length: 3_000 }, (_, n) => `many${n}`);
    for (let start = 0; start < ids.length; start += 1_000) {
      await admin('POST', '/v1/admin/users', { users: ids.slice(start, start + 1_000).map((id) => ({ id })) });
    }
    const created = await admin('POST', '/v1/admin/conversations', {
      type: 'channel',
      createdBy: 'many0',
      members: ids,
    });
    expect(created.status).toBe(201);
    const { id, memberCount } = created.body.conversation as { id: string; memberCount: number };
    expect(memberCount).toBe(3_000);
    await waitFor('all feeds', async () => {
      const [row] = await database.query<{ n: number }>('select count(*)::int as n from feed where subject = $1', [`member/${id}`]);
      return row?.n === 3_000;
    });
    await waitFor('the outbox to be empty', async () => (await database.query('select 1 from outbox')).length === 0);
    expect((await admin('POST', '/v1/admin/conversations', { type: 'group', createdBy: 'nobody' })).body.code).toBe('user_unknown');
  });

  it('take a server key of the right scope and nothing else', async () => {
    const conversation = { type: 'group', createdBy: 'x' };
    expect((await server.asServer(limited)('POST', '/v1/admin/users', { users: [{ id: 'x' }] })).status).toBe(200);
    expect((await server.asServer(limited)('POST', '/v1/admin/users/x/tokens')).body.code).toBe('forbidden');
    expect((await server.asServer(limited)('POST', '/v1/admin/conversations', conversation)).body.code).toBe('forbidden');
    expect((await server.as(app, 'ann')('POST', '/v1/admin/conversations', conversation)).status).toBe(401);
    expect((await server.call('POST', '/v1/admin/conversations', conversation)).status).toBe(401);
    expect((await server.asServer(app)('POST', '/v1/conversations', { type: 'group' })).status).toBe(401);
  });

  it('see only their own app', async () => {
    await server.asServer(app)('POST', '/v1/admin/users', { users: [{ id: 'only-demo' }] });
    expect((await server.asServer(limited)('POST', '/v1/admin/users/only-demo/tokens')).status).toBe(403);
    const rows = await database.query(`select app_id from chat_user where id = 'only-demo'`);
    expect(rows).toEqual([{ app_id: 'demo' }]);
  });
});

describe('for clients and people', () => {
  it('GET /v1/gateways says where to connect, per network', async () => {
    const answer = await server.as(app, 'ann')('GET', '/v1/gateways?network=mobile');
    expect(answer.body).toEqual({
      gateways: [{ url: 'http://chat.example', zone: 'default' }],
      sync: 'http://chat.example',
      heartbeat: { profile: 'mobile', intervalMs: 240_000, timeoutMs: 20_000 },
      ttlSeconds: 300,
    });
  });

  it('GET /v1/openapi.json and /docs need no credential and nothing from elsewhere', async () => {
    const document = await server.call('GET', '/v1/openapi.json');
    expect(document.body.openapi).toBe('3.1.0');
    const page = await fetch(`${server.url}/docs`);
    expect(page.headers.get('content-type')).toMatch(/text\/html/);
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
    expect((await fetch(`${server.url}/docs/style.css`)).headers.get('content-type')).toMatch(/text\/css/);
  });

  it('/readyz tells whether the database answers', async () => {
    expect((await server.call('GET', '/readyz')).body).toMatchObject({ ready: true, checks: { database: true } });
  });
});
