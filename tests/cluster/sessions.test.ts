import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpClient, httpClient } from '../protocol/support/http.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Device, type Fleet, startFleet } from './support/fleet.ts';
import { type Stack, startStack } from './support/stack.ts';

/** What was taken back is in force everywhere after so long. */
const bound = { timeoutMs: 10_000, intervalMs: 50 };

let stack: Stack;
let fleet: Fleet;
let http: HttpClient;

beforeAll(async () => {
  stack = await startStack();
  fleet = await startFleet(stack, { groups: 1, usersPerGroup: 12, devicesPerUser: 1 });
  http = httpClient(stack.url);
}, 180_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
}, 60_000);

const held = new Map<string, Device[]>();

/** A device of the user on every gateway, at rest; the same ones when asked again. */
async function everywhere(userId: string): Promise<Device[]> {
  const before = held.get(userId);
  if (before !== undefined) return before;
  const added = await Promise.all(stack.of('gateway').map(({ name, url }) => fleet.add(userId, [`${userId}-${name}`], [url])));
  await waitFor('them to have all there is', () => added.flat().every(({ isCurrent }) => isCurrent));
  // Whoever watches hears a conversation past the own topic: that has to end too.
  for (const { client } of added.flat()) await client.watch([conversationId()]);
  held.set(userId, added.flat());
  return added.flat();
}

const conversationId = () => fleet.groups[0]?.id ?? '';
const admin = () => ({ token: stack.app.serverKey });
const processes = (...roles: ('api' | 'sync')[]) => roles.flatMap((role) => stack.of(role));

function sendAs(userId: string, clientMsgId: string) {
  const body = { clientMsgId, body: { text: clientMsgId } };
  return http.call('sendMessage', { token: stack.app.token(userId), params: { conversationId: conversationId() }, body });
}

/** Waits until each of these processes refuses the user's pull or list with a code. */
async function refusedBy(
  roles: readonly ('api' | 'sync')[],
  token: string,
  code: 'not_found' | 'token_revoked' | 'user_banned',
): Promise<void> {
  await Promise.all(
    processes(...roles).map(({ name, url, role }) =>
      waitFor(
        `${name} to answer ${code}`,
        async () => {
          const own = httpClient(url);
          const reply =
            role === 'sync'
              ? await own.call('listEntries', { token, params: { conversationId: conversationId() }, query: { after: 0 } })
              : await own.call('getConversation', { token, params: { conversationId: conversationId() } });
          return (reply.json as { code?: string }).code === code;
        },
        bound,
      ),
    ),
  );
}

async function stoppedWith(devices: readonly Device[], code: string): Promise<void> {
  await waitFor(`every device to be stopped by ${code}`, () => devices.every(({ stopped }) => stopped !== undefined), bound);
  for (const device of devices) {
    expect(device.stopped?.reason, device.name).toBe(code);
  }
}

/** Other users' messages go on, and none of them reaches these devices. */
async function hearNothing(devices: readonly Device[], name: string): Promise<void> {
  const told = devices.map((device) => device.told.get(conversationId())?.length);
  const keys = devices.map(({ lastKeyAt }) => lastKeyAt);
  for (let n = 0; n < 5; n += 1) expect((await sendAs('g0u0', `${name}-${n}`)).status).toBeLessThan(300);
  // Without Redis nobody hears a key; then this is about sockets that would pull by themselves.
  if (redisIsThere) await witnessHasAll();
  expect(devices.map((device) => device.told.get(conversationId())?.length)).toEqual(told);
  expect(devices.map(({ lastKeyAt }) => lastKeyAt)).toEqual(keys);
}

function laterBy(ms: number): () => boolean {
  const at = performance.now() + ms;
  return () => performance.now() > at;
}

let redisIsThere = true;

async function witnessHasAll(): Promise<void> {
  const witness = fleet.devices.find(({ userId }) => userId === 'g0u0');
  const [row] = await stack.database.query<{ head: number }>('select last_seq::int as head from conversation where id = $1', [
    conversationId(),
  ]);
  await waitFor('a member to have them', () => witness?.client.cursor(conversationId()) === row?.head, { timeoutMs: 60_000 });
}

async function takeBack(userId: string): Promise<void> {
  const token = stack.app.token(userId);
  const devices = await everywhere(userId);
  (await http.call('revokeTokens', { ...admin(), params: { userId } })).ok(200);
  await Promise.all([stoppedWith(devices, 'token_revoked'), refusedBy(['api', 'sync'], token, 'token_revoked')]);
  await hearNothing(devices, `revoked-${userId}`);
}

async function ban(userId: string): Promise<void> {
  const token = stack.app.token(userId);
  const devices = await everywhere(userId);
  (await http.call('banUser', { ...admin(), params: { userId }, body: {} })).ok(200);
  await waitFor('every device to be out', () => devices.every(({ client, stopped }) => stopped !== undefined || !client.connected), bound);
  await refusedBy(['api', 'sync'], token, 'user_banned');
  await hearNothing(devices, `banned-${userId}`);
}

/** On every gateway a member who says something several times a second, past Redis and the database. */
let speakers: Device[] | undefined;

async function remove(userId: string): Promise<void> {
  const token = stack.app.token(userId);
  const devices = await everywhere(userId);
  speakers ??= await everywhere('g0u0');
  const heardAt = devices.map(() => 0);
  for (const [n, { client }] of devices.entries()) {
    client.on('event', () => {
      heardAt[n] = performance.now();
    });
  }
  const speaking = setInterval(() => {
    for (const { client } of speakers ?? []) client.sendEvent(conversationId(), 'tick');
  }, 250);
  try {
    await waitFor('each of its devices to hear the members', () => heardAt.every((at) => at > 0));
    const params = { conversationId: conversationId(), userId };
    (await http.call('adminRemoveMember', { ...admin(), params })).ok();
    const removedAt = performance.now();
    await refusedBy(['api', 'sync'], token, 'not_found');
    await waitFor('the time to be over after which nothing may come', () => performance.now() - removedAt > bound.timeoutMs + 2_000, {
      timeoutMs: 20_000,
    });
    const lastMs = heardAt.map((at) => Math.round(at - removedAt));
    console.log(`removed ${redisIsThere ? 'with' : 'without'} Redis: heard the last of the members after ${lastMs.join(' and ')} ms`);
    expect(Math.max(...lastMs), 'ms').toBeLessThan(bound.timeoutMs);
  } finally {
    clearInterval(speaking);
  }
  await hearNothing(devices, `removed-${userId}`);
}

/** One of a user's devices is ended, from whichever API and wherever it is; the others stay. */
async function kickOne(userId: string): Promise<void> {
  const devices = await everywhere(userId);
  for (const [n, { url }] of stack.of('api').entries()) {
    const [device, ...others] = devices.slice(n);
    if (device === undefined) throw new Error('fewer devices than APIs');
    const sessionId = device.connections.at(-1)?.sessionId ?? '';
    if (n % 2 === 0) (await httpClient(url).call('adminEndSession', { ...admin(), params: { userId, sessionId } })).ok(200);
    else (await httpClient(url).call('adminEndSessions', { ...admin(), params: { userId }, query: { deviceId: device.name } })).ok(200);
    await stoppedWith([device], 'kicked');
    expect(others.map(({ stopped }) => stopped)).toEqual(others.map(() => undefined));
  }
  await hearNothing(devices, `device-of-${userId}`);
}

describe('with Redis', () => {
  test('a kick ends all sessions of a user on every gateway, and others go on', async () => {
    const devices = await everywhere('g0u1');
    expect((await http.call('adminEndSessions', { ...admin(), params: { userId: 'g0u1' } })).ok(200).ended).toBeGreaterThanOrEqual(2);
    await stoppedWith(devices, 'kicked');
    await hearNothing(devices, 'kicked');
  }, 60_000);

  test('a kick of one device ends that one, on whatever gateway', () => kickOne('g0u10'), 60_000);
  test('revoked tokens are refused and their sockets ended on every node', () => takeBack('g0u2'), 60_000);
  test('a banned user is out on every node', () => ban('g0u3'), 60_000);
  test('a removed member hears and pulls nothing more on any node', () => remove('g0u4'), 60_000);
});

describe('without Redis', () => {
  beforeAll(async () => {
    await Promise.all(['g0u0', 'g0u5', 'g0u6', 'g0u7', 'g0u8', 'g0u9', 'g0u11'].map((userId) => everywhere(userId)));
    redisIsThere = false;
    await stack.redis.signal('SIGKILL');
    const all = (['gateway', 'api', 'sync'] as const).flatMap((role) => stack.of(role));
    await waitFor('every process to miss Redis', async () => {
      const up = await Promise.all(all.map((app) => stack.metric(app, 'nudge_redis_up')));
      return up.every((value) => value === 0);
    });
  }, 60_000);

  test('a kick ends all sessions of a user on every gateway, and others go on', async () => {
    const devices = await everywhere('g0u5');
    (await http.call('adminEndSessions', { ...admin(), params: { userId: 'g0u5' } })).ok(200);
    await stoppedWith(devices, 'kicked');
    await hearNothing(devices, 'kicked-without');
  }, 60_000);

  test('a user who keeps one session ends the others', async () => {
    const [kept, ...others] = await everywhere('g0u9');
    const token = stack.app.token('g0u9');
    const except = kept?.connections.at(-1)?.sessionId ?? '';
    (await http.call('endSessions', { token, query: { except } })).ok(200);
    await stoppedWith(others, 'kicked');
    expect(kept?.stopped).toBeUndefined();
    // Whoever came after that is not meant, although the gateways may read of it only now. That it is as long ago as a slow read may take is all they can tell.
    await stack.database.query(`update session_kick set at = at - interval '5 seconds' where user_id = 'g0u9'`);
    const [next] = await fleet.add('g0u9', ['g0u9-next']);
    await waitFor('the gateways to have asked twice', laterBy(11_000), { timeoutMs: 20_000 });
    expect([kept?.stopped, next?.stopped]).toEqual([undefined, undefined]);
  }, 60_000);

  test('a kick of one device ends that one, on whatever gateway', () => kickOne('g0u11'), 60_000);
  test('revoked tokens are refused and their sockets ended on every node', () => takeBack('g0u6'), 60_000);
  test('a banned user is out on every node', () => ban('g0u7'), 60_000);
  test('a removed member hears and pulls nothing more on any node', () => remove('g0u8'), 60_000);
  test('no process died of it', () => expect(stack.ends).toEqual([]));
});
