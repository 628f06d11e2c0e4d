import { once } from 'node:events';
import { request } from 'node:http';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { fasterThan } from '../../support/faster-than.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Device, Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';
import { RawSocket } from './support/raw-socket.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world, { allowedOrigins: ['https://chat.example'] });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function refusal(to: GatewayServer, auth: unknown): Promise<Refused> {
  let refused: unknown;
  await fasterThan(1_000, async () => {
    const device = new Device(to.port, auth as never);
    refused = await device.welcomed.then(
      () => new Error('was welcomed'),
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(Refused);
    const since = performance.now();
    await waitFor('the close', () => device.closedAt !== undefined);
    return (device.closedAt ?? 0) - since;
  });
  return refused as Refused;
}

/** Status and problem of an upgrade request. */
async function upgrade(path: string, headers: Record<string, string> = {}): Promise<{ status: number; code?: string }> {
  const asked = request({
    port: server.port,
    host: '127.0.0.1',
    path,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      ...headers,
    },
  });
  asked.end();
  const [event] = await Promise.race([once(asked, 'response').then(([r]) => [r]), once(asked, 'upgrade').then(([r]) => [r])]);
  const response = event as import('node:http').IncomingMessage;
  if (response.statusCode === 101) {
    response.destroy();
    return { status: 101 };
  }
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const isProblem = response.headers['content-type'] === 'application/problem+json';
  return { status: response.statusCode ?? 0, ...(isProblem ? { code: (JSON.parse(text) as { code: string }).code } : {}) };
}

describe('handshake', () => {
  it('welcomes with everything the client needs to know', async () => {
    const device = await server.connect('ann', { client: 'test/1', query: { hb: 'mobile' } });
    expect(device.welcome).toEqual({
      sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      gatewayId: server.gateway.gatewayId,
      resumed: false,
      epoch: 1,
      heartbeat: { profile: 'mobile', intervalMs: 240_000, timeoutMs: 20_000 },
      serverTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  it('refuses with a code and closes within a second', async () => {
    const good = server.token('ann');
    const codes: [unknown, string][] = [
      [{ token: 'nonsense', deviceId: 'd1' }, 'token_invalid'],
      [{ token: `${good.slice(0, -3)}abc`, deviceId: 'd1' }, 'token_invalid'],
      [{ token: server.token('ann', { ttlSeconds: -5 }), deviceId: 'd1' }, 'token_invalid'],
      [{ deviceId: 'd1' }, 'invalid_request'],
      [{ token: good }, 'invalid_request'],
      [{ token: good, deviceId: 'no spaces' }, 'invalid_request'],
      [{ token: good, deviceId: 'd1', admin: true }, 'invalid_request'],
      [{ token: good, deviceId: 'd1', sessionId: 'x' }, 'invalid_request'],
      [{ token: [good], deviceId: 'd1' }, 'invalid_request'],
    ];
    for (const [auth, code] of codes) {
      const { data, message } = await refusal(server, auth);
      expect({ data, message }).toEqual({ data: { code, retryable: false }, message: code });
    }
  });

  it('refuses one session too many of a user, and that only', async () => {
    await using small = await startGatewayServer(world, { limits: { sessionsPerUser: 2 } });
    await small.connect('ann', { deviceId: 'a' });
    await small.connect('ann', { deviceId: 'b' });
    const { data } = await refusal(small, { token: small.token('ann'), deviceId: 'c' });
    expect(data).toMatchObject({ code: 'too_many_sessions', retryable: true, retryAfterMs: expect.any(Number) });
    await small.connect('bob');
    await small.connect('ann', { app: world.otherApp });
  });

  it('counts a session that comes back like a new one', async () => {
    await using small = await startGatewayServer(world, { limits: { sessionsPerUser: 2 } });
    const before = await Promise.all(['a', 'b'].map((deviceId) => small.connect('ann', { deviceId })));
    for (const device of before) device.cut();
    await waitFor('both to be detached', async () => (await small.metric('nudge_gateway_sessions_detached')) === 2);
    await small.connect('ann', { deviceId: 'c' });
    const [a, b] = before.map(({ welcome }) => welcome?.sessionId);
    const { welcome } = await small.connect('ann', { deviceId: 'a', sessionId: a ?? '' });
    expect(welcome?.resumed).toBe(true);
    const { data } = await refusal(small, { token: small.token('ann'), deviceId: 'b', sessionId: b });
    expect(data).toMatchObject({ code: 'too_many_sessions', retryable: true });
  });

  it('lets no rush of a user never seen before past the number of sessions', async () => {
    await using small = await startGatewayServer(world, { limits: { sessionsPerUser: 2 } });
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => small.connect('rush', { deviceId: `d${i}` })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  });

  it('refuses what is more than it can hold, or more than it can start in a second', async () => {
    await using full = await startGatewayServer(world, { limits: { gatewaySockets: 2 } });
    await full.connect('ann');
    await full.connect('bob');
    expect((await refusal(full, { token: full.token('cem'), deviceId: 'd' })).data).toMatchObject({ code: 'overloaded', retryable: true });
    await using slow = await startGatewayServer(world, { limits: { handshakesPerSecond: 3 }, clock: new ManualClock(Date.now()) });
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => slow.connect(`u${i}`)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Refused] : []));
    expect(refused).toHaveLength(3);
    for (const { data } of refused) expect(data).toMatchObject({ code: 'overloaded', retryable: true });
    expect(await slow.metric('nudge_gateway_handshakes_refused_total{code="overloaded"}')).toBe(refused.length);
  });

  it('drops a client that never says CONNECT', async () => {
    await using hasty = await startGatewayServer(world, { config: { connectTimeoutMs: 100 } });
    await fasterThan(2_000, async () => {
      const raw = await hasty.raw();
      const since = performance.now();
      await waitFor('the close', () => raw.isClosed, { timeoutMs: 30_000 });
      return performance.now() - since;
    });
    expect(await hasty.metric('nudge_gateway_sockets')).toBe(0);
  });

  it('keeps no session of a client that vanishes during its handshake', async () => {
    const before = await server.metric('nudge_gateway_topics');
    for (let i = 0; i < 20; i++) {
      const raw = await server.raw();
      raw.send(`40${JSON.stringify({ token: server.token(`ghost${i}`), deviceId: 'd' })}`);
      raw.terminate();
    }
    await using closing = await startGatewayServer(world, { config: { resumeMs: 0, presenceGraceMs: 0 } });
    const raw = await closing.raw();
    raw.send(`40${JSON.stringify({ token: closing.token('ghost'), deviceId: 'd' })}`);
    raw.terminate();
    await waitFor('the end of the session', async () => (await closing.metric('nudge_gateway_topics')) === 0);
    await waitFor('no live session', async () => (await server.metric('nudge_gateway_sockets')) <= 1);
    expect(await server.metric('nudge_gateway_topics')).toBeLessThanOrEqual(before + 20);
  });

  it('answers over HTTP what may not become a socket', async () => {
    const good = '/socket.io/?EIO=4&transport=websocket';
    expect(await upgrade(good)).toEqual({ status: 101 });
    expect(await upgrade('/socket.io?EIO=4&transport=websocket&hb=background')).toEqual({ status: 101 });
    expect(await upgrade('/elsewhere')).toEqual({ status: 404, code: 'not_found' });
    expect(await upgrade('/socket.io/x?EIO=4&transport=websocket')).toEqual({ status: 404, code: 'not_found' });
    expect(await upgrade('/socket.io/?EIO=4&transport=polling')).toEqual({ status: 400, code: 'invalid_request' });
    expect(await upgrade('/socket.io/?EIO=3&transport=websocket')).toEqual({ status: 400, code: 'invalid_request' });
    expect(await upgrade(`${good}&sid=abc`)).toEqual({ status: 400, code: 'invalid_request' });
    expect(await upgrade(`${good}&hb=turbo`)).toEqual({ status: 400, code: 'invalid_request' });
    expect(await upgrade('//[/socket.io/?%')).toEqual({ status: 404, code: 'not_found' });
  });

  it('answers over HTTP what is no proper WebSocket handshake', async () => {
    const good = '/socket.io/?EIO=4&transport=websocket';
    expect(await upgrade(good, { 'sec-websocket-key': 'short' })).toMatchObject({ status: 400 });
    expect(await upgrade(good, { 'sec-websocket-version': '7' })).toMatchObject({ status: 400 });
    expect(await upgrade(good, { upgrade: 'h2c' })).toMatchObject({ status: 400 });
  });

  it('lets pages of listed origins in, its own, and what is no page', async () => {
    const good = '/socket.io/?EIO=4&transport=websocket';
    expect(await upgrade(good, { origin: 'https://chat.example' })).toEqual({ status: 101 });
    expect(await upgrade(good, { origin: `http://127.0.0.1:${server.port}` })).toEqual({ status: 101 });
    for (const origin of ['https://evil.example', 'null', 'https://chat.example.evil.example', 'http://chat.example']) {
      expect(await upgrade(good, { origin })).toEqual({ status: 403, code: 'origin_forbidden' });
    }
  });

  it('agrees on no compression and offers no recovery of socket.io: it costs memory per socket, the cursor is the recovery', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: true });
    const raw = new RawSocket(socket);
    await once(socket, 'open');
    expect(socket.extensions, 'of what was offered').toBe('');
    await raw.handshake(server.token('ann'));
    const connected = JSON.parse((await raw.frame('40')).slice(2)) as object;
    expect(Object.keys(connected), 'no id to recover by').toEqual(['sid']);
    raw.terminate();
  });
});
