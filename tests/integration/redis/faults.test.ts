import { once } from 'node:events';
import { createServer } from 'node:net';
import { connectRedis, type SessionRecord } from '@nudge/server-kit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { alert, key, listen, openProcess, patient, type RedisProcess, stateOf } from './support/processes.ts';

const limit = { points: 3, windowMs: 60_000 };

const record: SessionRecord = {
  appId: 'app',
  userId: 'alice',
  deviceId: 'phone',
  sessionId: 's1',
  gatewayId: 'g1',
  status: 'online',
  connectedAt: 1_000,
  hidden: false,
};

/** Publishes ever higher keys until one is heard: what flows again. */
async function flowsAgain(from: RedisProcess, topic: string, heard: readonly number[], first = 1_000): Promise<void> {
  let seq = first;
  await waitFor(
    'a key to be heard after the recovery',
    async () => {
      await from.bus.publish([{ topic, message: key(seq++) }]).catch(() => undefined);
      return heard.some((one) => one >= first);
    },
    { timeoutMs: 15_000 },
  );
}

/** A publish while Redis is away is refused, quickly, with a code that says to come back. */
async function refusesQuickly(process: RedisProcess, topic: string, seq: number): Promise<void> {
  const began = performance.now();
  await expect(process.bus.publish([{ topic, message: key(seq) }])).rejects.toMatchObject({ code: 'overloaded' });
  // For the patient before the deadline, for the alert soon after it.
  expect(performance.now() - began).toBeLessThan(patient.commandMs - 500);
}

/** What does not need Redis goes on, and no call rejects. */
async function degrades({ registry, limiter, connection, metric }: RedisProcess): Promise<void> {
  await waitFor('the loss to be noticed', () => !connection.up);
  expect(await metric('nudge_redis_up')).toBe(0);
  expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'offline' }]);
  expect(await registry.sessionsOf('app', 'alice')).toEqual([]);
  await registry.put(record);
  await registry.renewLease('g1', 60_000);
  const decisions = [];
  for (let at = 0; at < 4; at++) decisions.push((await limiter.consume('while away', limit)).allowed);
  expect(decisions).toEqual([true, true, true, false]);
}

describe('a server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('is killed and comes back empty: publishers are refused, sessions are put again, and all flows', async () => {
    const [here, there] = [await openProcess({ url: server.url }), await openProcess({ url: server.url })];
    const heard = await listen(there.bus, 'killed');
    await here.registry.renewLease('g1', 60_000);
    await here.registry.put(record);
    await here.bus.publish([{ topic: 'killed', message: key(1) }]);
    await waitFor('the first key', () => heard.length === 1);

    await server.signal('SIGKILL');
    expect(() => process.kill(server.pid, 0)).toThrow();
    await waitFor('the loss to be noticed', () => !here.bus.healthy && !there.bus.healthy);
    for (const seq of [2, 5, 4, 3]) await refusesQuickly(here, 'killed', seq);
    await expect(there.bus.subscribe('killed too', () => undefined)).rejects.toMatchObject({ code: 'overloaded' });
    expect(here.bus.unsentCount).toBe(1);
    await degrades(here);
    expect(there.interruptions()).toBe(0);

    await server.restart();
    await waitFor('the interruption to be told', () => there.interruptions() > 0);
    await flowsAgain(here, 'killed', heard);
    expect(here.bus.unsentCount).toBe(0);
    await waitFor('the bus to be whole', () => here.bus.healthy && there.bus.healthy);
    await waitFor('Redis to count as up', async () => (await here.metric('nudge_redis_up')) === 1);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual(['g1']);
    await here.registry.put(record);
    expect(await there.registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'online' }]);
  });

  it('is away while a newer key is refused: what was kept is sent by itself, the newest only', async () => {
    const here = await openProcess({ url: server.url });
    await server.signal('SIGKILL');
    await waitFor('the loss to be noticed', () => !here.bus.healthy);
    for (const seq of [1, 2, 3]) await refusesQuickly(here, 'kept', seq);
    // The way back is longer for the publisher than for the subscriber: what is kept finds someone who hears.
    const proxy = await createTcpProxy({ port: server.port });
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    await server.restart();
    await waitFor('what was kept to be sent', () => here.bus.unsentCount === 0);
    const [late, heard] = [await openProcess({ url: server.url, via: { publisher: proxy.port } }), [] as number[]];
    await late.bus.subscribe('kept', (message) => message.kind === 'key' && heard.push(message.seq));
    proxy.refuse();
    proxy.reset();
    await waitFor('the publisher to be gone', () => !late.bus.healthy);
    for (const seq of [7, 9, 8]) await refusesQuickly(late, 'kept', seq);
    expect(heard).toEqual([]);
    proxy.heal();
    await waitFor('the newest key', () => heard.length > 0);
    expect(heard).toEqual([9]);
  });

  it('hangs: nobody waits longer than the deadline, and all flows when it goes on', async () => {
    const open = () => openProcess({ url: server.url, timings: alert });
    const [here, there] = [await open(), await open()];
    const heard = await listen(there.bus, 'hangs');
    await server.signal('SIGSTOP');
    onTestFinished(() => server.signal('SIGCONT'));
    await waitFor('the server to be stopped', () => stateOf(server.pid) === 'T');
    await refusesQuickly(here, 'hangs', 1);
    await degrades(here);
    await waitFor('the subscriber to be given up', async () => (await there.metric('nudge_bus_deaf_total')) >= 1);
    await refusesQuickly(here, 'hangs', 2);

    await server.signal('SIGCONT');
    await waitFor('the interruption to be told', () => there.interruptions() > 0);
    await flowsAgain(here, 'hangs', heard);
  });

  it('loses its data: the next renewal tells the gateway, and the bus goes on', async () => {
    const [here, there] = [await openProcess({ url: server.url }), await openProcess({ url: server.url })];
    const heard = await listen(there.bus, 'flushed');
    await here.registry.renewLease('g1', 60_000);
    await here.registry.put(record);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual([]);
    expect(await there.registry.sessionsOf('app', 'alice')).toHaveLength(1);

    expect(await server.command('FLUSHALL')).toBe('OK');
    expect(await server.command('DBSIZE')).toBe(0);
    expect(await there.registry.sessionsOf('app', 'alice')).toEqual([]);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual(['g1']);
    await here.registry.put(record);
    expect(await there.registry.sessionsOf('app', 'alice')).toEqual([record]);
    await flowsAgain(here, 'flushed', heard);
    expect(there.interruptions()).toBe(0);
  });

  it('is not heard by a subscriber whose connection stands open: the canary finds out', async () => {
    const proxy = await createTcpProxy({ port: server.port });
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const here = await openProcess({ url: server.url });
    const { canaryDeadlineMs } = alert;
    const there = await openProcess({ url: server.url, via: { subscriber: proxy.port }, timings: { canaryDeadlineMs } });
    // The control: without the guard nobody would ever find out.
    const unguarded = await openProcess({ url: server.url, via: { subscriber: proxy.port }, timings: { canaryDeadlineMs: 600_000 } });
    const [heard, heardUnguarded] = [await listen(there.bus, 'deaf'), await listen(unguarded.bus, 'deaf')];
    const before = proxy.stats;
    expect(before.open).toBe(2);
    proxy.stall('toClient');
    await here.bus.publish([{ topic: 'deaf', message: key(1) }]);
    await waitFor('the deaf subscriber to be found out', async () => (await there.metric('nudge_bus_deaf_total')) >= 1);
    expect(proxy.stats.fired.stall).toBeGreaterThan(0);
    expect(heard).toEqual([]);
    expect(here.interruptions()).toBe(0);
    expect([heardUnguarded, unguarded.interruptions(), unguarded.bus.healthy]).toEqual([[], 0, true]);

    proxy.heal();
    await waitFor('the interruption to be told', () => there.interruptions() > 0);
    expect(proxy.stats.accepted).toBeGreaterThan(before.accepted);
    await flowsAgain(here, 'deaf', heard);
  });

  it('is behind a network that stands still, then resets everything', async () => {
    const proxy = await createTcpProxy({ port: server.port });
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const [here, there] = [await openProcess({ url: proxy.through(server.url), timings: alert }), await openProcess({ url: server.url })];
    const [heardHere, heardThere] = [await listen(here.bus, 'network'), await listen(there.bus, 'network')];
    proxy.stall();
    await refusesQuickly(here, 'network', 1);
    await degrades(here);
    await waitFor('the subscriber to be given up', async () => (await here.metric('nudge_bus_deaf_total')) >= 1);
    expect(proxy.stats.fired.stall).toBeGreaterThan(0);
    proxy.heal();
    await waitFor('the interruption to be told', () => here.interruptions() > 0);
    await flowsAgain(here, 'network', heardThere);
    await flowsAgain(there, 'network', heardHere);

    await waitFor('all connections to be there', () => proxy.stats.open > 2);
    const told = here.interruptions();
    expect(proxy.reset()).toBeGreaterThan(2);
    await waitFor('the second interruption', () => here.interruptions() > told);
    await flowsAgain(here, 'network', heardThere, 2_000);
    await flowsAgain(there, 'network', heardHere, 2_000);
  });

  it('counts for all processes together, by its own clock', async () => {
    const [here, there] = [await openProcess({ url: server.url }), await openProcess({ url: server.url })];
    const decisions = [];
    for (const { limiter } of [here, there, here, there]) decisions.push((await limiter.consume('shared', limit)).allowed);
    expect(decisions).toEqual([true, true, true, false]);
    expect(await server.command('PTTL', 'nudge:rate/shared')).toBeGreaterThan(0);
    const short = { points: 1, windowMs: 2_000 };
    expect((await here.limiter.consume('refilled', short)).allowed).toBe(true);
    // Refused at once, unless all this took as long as the window.
    await waitFor('the point to be used up', async () => !(await there.limiter.consume('refilled', short)).allowed);
    await waitFor("the server's clock to give the point back", async () => (await there.limiter.consume('refilled', short)).allowed);
    await here.registry.renewLease('g2', 100);
    await here.registry.put({ ...record, userId: 'bob', gatewayId: 'g2' });
    await waitFor('the lease to run out by the same clock', async () => (await there.registry.sessionsOf('app', 'bob')).length === 0);
    expect(await there.registry.presenceOf('app', ['bob'])).toMatchObject([{ status: 'offline', lastSeenAt: expect.any(String) }]);
  });

  it('serves whoever was started before it', async () => {
    await server.signal('SIGKILL');
    const process = await openProcess({ url: server.url, timings: { startMs: 2_000 } });
    expect(process.connection.up).toBe(false);
    await degrades(process);
    await server.restart();
    await waitFor('the bus to be there', () => process.bus.healthy, { timeoutMs: 15_000 });
    const heard = await listen(process.bus, 'late');
    await flowsAgain(process, 'late', heard);
  });
});

it('says what to do about a server that is too old or refuses the password', async () => {
  const old = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      const info = 'redis_version:6.2.14\r\nloading:0\r\n';
      for (const command of data.toString().split(/(?=\*\d+\r\n\$)/)) {
        socket.write(/\binfo\b/i.test(command) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
      }
    });
  }).listen(0, '127.0.0.1');
  await once(old, 'listening');
  onTestFinished(() => void old.close());
  const address = old.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  await expect(connectRedis({ url: `redis://127.0.0.1:${port}`, timings: patient })).rejects.toThrow(/6\.2\.14 is too old.*version 7/);

  await using guarded = await startRedis();
  await guarded.command('CONFIG', 'SET', 'requirepass', 'secret');
  await expect(connectRedis({ url: guarded.url.replace('://', '://:wrong@'), timings: patient })).rejects.toThrow(/REDIS_URL/);
  await using connection = await connectRedis({ url: guarded.url.replace('://', '://:secret@'), timings: patient });
  expect(connection.up).toBe(true);
});
