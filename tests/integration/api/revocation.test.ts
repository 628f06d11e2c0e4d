import { createPool, restrictions } from '@nudge/db';
import { MemoryBus, mintToken, systemClock, userTopic } from '@nudge/server-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';

let database: TestDatabase;
let app: TestApp;
/** Two processes without a bus between them: what one learns of the other is in the database. */
let here: ApiServer;
let there: ApiServer;
const within10Seconds = { timeoutMs: 10_000 };

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cleo']);
  [here, there] = await Promise.all([startApiServer(database), startApiServer(database)]);
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const me = (server: ApiServer, token: string) => fetch(`${server.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
const codeOf = async (server: ApiServer, token: string) => ((await (await me(server, token)).json()) as { code?: string }).code ?? 'ok';
const tokenOf = (userId: string) => mintToken({ key: app.signingKey, userId, ttlSeconds: 3_600 }).token;

describe('revoked tokens', () => {
  it('are refused here at once and elsewhere within ten seconds, from the cache of verified tokens too; new ones are good', async () => {
    const [ann, bob] = [tokenOf('ann'), tokenOf('bob')];
    for (const server of [here, there]) expect(await codeOf(server, ann)).toBe('ok');
    const { status, body } = await here.asServer(app)('POST', '/v1/admin/users/ann/revoke-tokens');
    expect([status, Math.abs(Date.parse(String(body.tokensValidAfter)) - Date.now()) < 5_000]).toEqual([200, true]);
    expect(await codeOf(here, ann)).toBe('token_revoked');
    await waitFor('the other process to know', async () => (await codeOf(there, ann)) === 'token_revoked', within10Seconds);
    const minted = await here.asServer(app)('POST', '/v1/admin/users/ann/tokens');
    for (const server of [here, there]) {
      expect(await codeOf(server, String(minted.body.token))).toBe('ok');
      expect(await codeOf(server, bob)).toBe('ok');
    }
  });

  it('are known to a process that starts afterwards, and to one who has no row yet', async () => {
    const token = tokenOf('stranger');
    expect((await here.asServer(app)('POST', '/v1/admin/users/stranger/revoke-tokens')).status).toBe(200);
    await using late = await startApiServer(database);
    expect(await codeOf(late, token)).toBe('token_revoked');
  });

  it('are announced to the gateways, and stay revoked where these cannot be told', async () => {
    const heard: unknown[] = [];
    const bus = new MemoryBus();
    await using server = await startApiServer(database, { bus });
    await bus.subscribe(userTopic('demo', 'cleo'), (message) => heard.push(message));
    const call = server.asServer(app);
    expect((await call('POST', '/v1/admin/users/cleo/revoke-tokens')).status).toBe(200);
    expect(heard).toEqual([{ kind: 'kick', reason: 'token_revoked' }]);
    const silent = Object.assign(new MemoryBus(), { publish: () => Promise.reject(new Error('the bus is away')) });
    await using deaf = await startApiServer(database, { bus: silent });
    const token = tokenOf('deafened');
    expect((await deaf.asServer(app)('POST', '/v1/admin/users/deafened/revoke-tokens')).status).toBe(200);
    expect(await codeOf(deaf, token)).toBe('token_revoked');
  });
});

describe('banned users', () => {
  it('are refused everywhere until the ban ends or is lifted, whatever their token', async () => {
    const bob = tokenOf('bob');
    expect(await codeOf(there, bob)).toBe('ok');
    expect((await here.asServer(app)('PUT', '/v1/admin/users/bob/ban')).body).toEqual({ bannedUntil: null });
    expect(await codeOf(here, bob)).toBe('user_banned');
    await waitFor('the other process to know', async () => (await codeOf(there, bob)) === 'user_banned', within10Seconds);
    expect(await codeOf(here, tokenOf('bob'))).toBe('user_banned');
    expect((await here.asServer(app)('DELETE', '/v1/admin/users/bob/ban')).body).toEqual({ changed: true });
    expect((await here.asServer(app)('DELETE', '/v1/admin/users/bob/ban')).body).toEqual({ changed: false });
    expect(await codeOf(here, bob)).toBe('ok');
    await waitFor('the other process to know', async () => (await codeOf(there, bob)) === 'ok', within10Seconds);
    const past = new Date(Date.now() - 60_000).toISOString();
    expect((await here.asServer(app)('PUT', '/v1/admin/users/bob/ban', { until: past })).body).toEqual({ bannedUntil: past });
    expect(await codeOf(here, bob)).toBe('ok');
  });
});

describe('what the polls read', () => {
  it('is what changed lately, found by its index among many users', async () => {
    const pool = createPool({ connectionString: database.connectionString, applicationName: 'test', max: 1 });
    try {
      await database.query(`insert into chat_user (app_id, id) select 'demo', 'many-' || n from generate_series(1, 20000) n`);
      await database.query(
        `insert into chat_user (app_id, id, tokens_valid_after, restricted_at)
         select 'demo', 'old-' || n, now() - interval '2 days', now() - interval '2 days' from generate_series(1, 6000) n`,
      );
      await database.query('analyze chat_user');
      const since = systemClock.now() - 30_000;
      await here.asServer(app)('POST', '/v1/admin/users/many-7/revoke-tokens');
      const { rows, readAt } = await restrictions(pool, since, 86_400);
      expect(rows.map(({ userId }) => userId)).toContain('many-7');
      expect(rows.length).toBeLessThan(20);
      expect(Math.abs(readAt - systemClock.now())).toBeLessThan(5_000);
      expect((await restrictions(pool, null, 86_400)).rows.some(({ userId }) => userId.startsWith('old-'))).toBe(false);
      expect((await restrictions(pool, null, 7 * 86_400)).rows.filter(({ userId }) => userId.startsWith('old-'))).toHaveLength(6_000);
      const { rows: plan } = await pool.query<{ 'QUERY PLAN': string }>(
        `explain select 1 from chat_user c where c.restricted_at is not null and (c.restricted_at, c.app_id, c.id) > (now(), '', '')
         order by c.restricted_at, c.app_id, c.id limit 5000`,
      );
      expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain('chat_user_restricted');
    } finally {
      await pool.end();
    }
  });
});
