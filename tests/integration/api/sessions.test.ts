import { MemoryBus, type SessionRecord, userTopic } from '@nudge/server-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';

const sessionIds = ['7b0f3c1e-27a1-4c0e-9f7e-2f1a4d7c0001', '7b0f3c1e-27a1-4c0e-9f7e-2f1a4d7c0002'] as const;

class RefusingBus extends MemoryBus {
  override publish(): Promise<void> {
    return Promise.reject(new Error('away'));
  }
}

let database: TestDatabase;
let app: TestApp;
let server: ApiServer;
let bus: MemoryBus;
let kicks: unknown[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob']);
  bus = new MemoryBus();
  server = await startApiServer(database, { bus });
  await bus.subscribe(userTopic('demo', 'ann'), (message) => kicks.push(message));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});
beforeEach(async () => {
  kicks = [];
  const record: SessionRecord = {
    appId: 'demo',
    userId: 'ann',
    deviceId: 'phone',
    sessionId: sessionIds[0],
    gatewayId: 'g1',
    status: 'online',
    connectedAt: Date.UTC(2026, 0, 1),
    hidden: false,
    platform: 'ios',
  };
  await server.registry.renewLease('g1', 60_000);
  await server.registry.put(record);
  const { platform: _, ...other } = record;
  await server.registry.put({ ...other, deviceId: 'laptop', sessionId: sessionIds[1], connectedAt: Date.UTC(2026, 0, 2) });
});

describe('sessions', () => {
  it('are listed with device, platform, gateway and status, to their user and to the integrator', async () => {
    const sessions = [
      {
        sessionId: sessionIds[0],
        deviceId: 'phone',
        platform: 'ios',
        gatewayId: 'g1',
        status: 'online',
        connectedAt: '2026-01-01T00:00:00.000Z',
      },
      { sessionId: sessionIds[1], deviceId: 'laptop', gatewayId: 'g1', status: 'online', connectedAt: '2026-01-02T00:00:00.000Z' },
    ];
    expect((await server.as(app, 'ann')('GET', '/v1/me/sessions')).body).toEqual({ sessions });
    expect((await server.asServer(app)('GET', '/v1/admin/users/ann/sessions')).body).toEqual({ sessions });
    expect((await server.as(app, 'bob')('GET', '/v1/me/sessions')).body).toEqual({ sessions: [] });
  });

  it('are ended one by one, all but one, or all', async () => {
    const ann = server.as(app, 'ann');
    expect((await ann('DELETE', `/v1/me/sessions/${sessionIds[1]}`)).body).toEqual({ ended: 1 });
    expect((await ann('DELETE', `/v1/me/sessions?except=${sessionIds[1]}`)).body).toEqual({ ended: 1 });
    expect((await ann('DELETE', '/v1/me/sessions')).body).toEqual({ ended: 2 });
    expect((await server.asServer(app)('DELETE', `/v1/admin/users/ann/sessions/${sessionIds[0]}`)).body).toEqual({ ended: 1 });
    expect((await server.asServer(app)('DELETE', '/v1/admin/users/ann/sessions')).body).toEqual({ ended: 2 });
    expect((await server.asServer(app)('DELETE', '/v1/admin/users/ann/sessions?deviceId=phone')).body).toEqual({ ended: 1 });
    expect((await server.asServer(app)('DELETE', '/v1/admin/users/ann/sessions?deviceId=a,b')).status).toBe(400);
    const kick = { kind: 'kick', reason: 'kicked' };
    expect(kicks).toEqual([
      { ...kick, sessionId: sessionIds[1] },
      { ...kick, sessionId: sessionIds[0] },
      kick,
      { ...kick, sessionId: sessionIds[0] },
      kick,
      { ...kick, deviceId: 'phone' },
    ]);
  });

  it('that the registry has forgotten are told to end all the same', async () => {
    const unknown = '7b0f3c1e-27a1-4c0e-9f7e-2f1a4d7c0009';
    expect((await server.as(app, 'ann')('DELETE', `/v1/me/sessions/${unknown}`)).body).toEqual({ ended: 0 });
    expect(kicks).toEqual([{ kind: 'kick', reason: 'kicked', sessionId: unknown }]);
  });

  it('are told to end by the database, where gateways read it, when the bus refuses', async () => {
    await using away = await startApiServer(database, { bus: new RefusingBus() });
    const ann = away.as(app, 'ann');
    await database.query('delete from session_kick');
    expect((await ann('DELETE', '/v1/me/sessions')).body).toEqual({ ended: 0 });
    expect((await ann('DELETE', `/v1/me/sessions?except=${sessionIds[0]}`)).status).toBe(200);
    expect((await away.asServer(app)('DELETE', `/v1/admin/users/ann/sessions/${sessionIds[1]}`)).status).toBe(200);
    const told = await database.query('select app_id, user_id, session_id, except_id from session_kick order by at, id');
    const row = { app_id: 'demo', user_id: 'ann', session_id: null, except_id: null };
    expect(told).toHaveLength(3);
    expect(told).toEqual(expect.arrayContaining([row, { ...row, except_id: sessionIds[0] }, { ...row, session_id: sessionIds[1] }]));
  });

  it('give the status of up to a thousand users at once, in the order asked', async () => {
    const userIds = [...Array.from({ length: 999 }, (_, n) => `user-${n}`), 'ann'];
    const { presence } = (await server.asServer(app)('POST', '/v1/admin/presence', { userIds })).body as { presence: unknown[] };
    expect(presence).toHaveLength(1_000);
    expect(presence.at(-1)).toEqual({ userId: 'ann', status: 'online' });
    expect((await server.asServer(app)('POST', '/v1/admin/presence', { userIds: [...userIds, 'bob'] })).status).toBe(400);
  });

  it('are bounded by a rule of the app, which is set, replaced and taken away', async () => {
    const patch = async (body: unknown) => (await server.asServer(app)('PATCH', '/v1/admin/app', body)).body.settings;
    expect(await patch({})).not.toHaveProperty('sessionPolicy');
    const sessionPolicy = { maxSessions: 3, onePerPlatform: true, whenFull: 'end_oldest' };
    expect(await patch({ sessionPolicy })).toMatchObject({ sessionPolicy });
    expect(await patch({ countableTypes: [] })).toMatchObject({ sessionPolicy });
    expect(await patch({ sessionPolicy: { maxSessions: 1 } })).toMatchObject({ sessionPolicy: { maxSessions: 1 } });
    expect(await patch({ sessionPolicy: {} })).not.toHaveProperty('sessionPolicy');
    expect((await server.asServer(app)('PATCH', '/v1/admin/app', { sessionPolicy: { maxSessions: 0 } })).status).toBe(400);
  });

  it('need the scope of the key', async () => {
    const limited = await createTestApp(database, 'limited', [], ['tokens:mint']);
    await using other = await startApiServer(database);
    const call = other.asServer(limited);
    expect((await call('GET', '/v1/admin/users/ann/sessions')).status).toBe(403);
    expect((await call('DELETE', '/v1/admin/users/ann/sessions')).status).toBe(403);
    expect((await call('POST', '/v1/admin/users/ann/revoke-tokens')).status).toBe(403);
    expect((await call('PUT', '/v1/admin/users/ann/ban')).status).toBe(403);
  });
});
