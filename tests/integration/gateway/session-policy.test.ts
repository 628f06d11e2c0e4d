import { MemoryBus, MemorySessionRegistry, type SessionRecord } from '@nudge/server-kit';
import type { SessionPolicy } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBarrier } from '../../support/barrier.ts';
import { seedApp, type TestApp } from '../../support/seed.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Device, Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

/** Counts what it is asked, and can hold readers until all of them have read. */
class WatchedRegistry extends MemorySessionRegistry {
  reads = 0;
  puts = 0;
  afterRead: (() => Promise<void>) | undefined = undefined;

  override async sessionsOf(appId: string, userId: string): Promise<SessionRecord[]> {
    this.reads++;
    const records = await super.sessionsOf(appId, userId);
    await this.afterRead?.();
    return records;
  }

  override put(record: SessionRecord): Promise<void> {
    this.puts++;
    return super.put(record);
  }

  /** The next `count` readers learn what they read once all of them have read it. */
  holdReads(count: number): void {
    const barrier = createBarrier(count);
    let left = count;
    this.afterRead = async () => {
      if (left-- > 0) await barrier.arrive();
    };
  }
}

const bus = new MemoryBus();
const registry = new WatchedRegistry();
let world: GatewayWorld;
let one: GatewayServer;
let two: GatewayServer;
let single: TestApp;
let closed: TestApp;
let platforms: TestApp;
let wide: TestApp;
beforeAll(async () => {
  world = await createGatewayWorld();
  const withRule = async (id: string, sessionPolicy: SessionPolicy) => {
    const app = await seedApp(world.database, id);
    await world.database.query('update app set settings = $2 where id = $1', [id, JSON.stringify({ sessionPolicy })]);
    return app;
  };
  single = await withRule('single', { maxSessions: 1 });
  closed = await withRule('closed', { maxSessions: 1, whenFull: 'refuse' });
  platforms = await withRule('platforms', { onePerPlatform: true });
  wide = await withRule('wide', { maxSessions: 100 });
  one = await startGatewayServer(world, { bus, registry, limits: { sessionsPerUser: 4 }, config: { gatewayId: 'gateway-1' } });
  two = await startGatewayServer(world, { bus, registry, limits: { sessionsPerUser: 4 }, config: { gatewayId: 'gateway-2' } });
});
afterAll(async () => {
  await two?.[Symbol.asyncDispose]();
  await one?.[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const replaced = { type: 'disconnect', code: 3503, reason: 'session_replaced' };
const idOf = ({ welcome }: Device) => welcome?.sessionId ?? '';

async function listed(app: TestApp, userId: string): Promise<string[]> {
  return (await registry.sessionsOf(app.id, userId)).map(({ sessionId }) => sessionId);
}

async function stays(device: Device): Promise<void> {
  await device.settled();
  expect(device.closedAt).toBeUndefined();
}

async function refusal(connecting: Promise<Device>): Promise<Refused['data']> {
  const error: unknown = await connecting.then(
    () => new Error('was welcomed'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw error;
  return error.data;
}

/** One device on each of the servers, all at once; answers them when each was welcomed, refused or cut off. */
async function together(app: TestApp, userId: string, servers: readonly GatewayServer[]): Promise<Device[]> {
  const devices = servers.map(({ port, token }, i) => new Device(port, { token: token(userId, { app }), deviceId: `d${i}` }));
  await waitFor('all to be answered', () => devices.every(({ welcome, closedAt }) => welcome !== undefined || closedAt !== undefined));
  return devices;
}

/** Who is there when all has settled: the registry and the sockets have to agree. */
function survivors(app: TestApp, userId: string, devices: readonly Device[]): Promise<Device[]> {
  return waitFor('those who stay', async () => {
    const open = devices.filter(({ closedAt }) => closedAt === undefined);
    const known = await listed(app, userId);
    return known.length === open.length && open.every((device) => known.includes(idOf(device))) && open;
  });
}

describe('an app that lets the newest win', () => {
  it('ends the older session on the same gateway and on another, which does not come back', async () => {
    const first = await one.connect('ann', { app: single, deviceId: 'a' });
    const other = await one.connect('bob', { app: single, deviceId: 'a' });
    const second = await one.connect('ann', { app: single, deviceId: 'b' });
    expect(await first.disconnected()).toMatchObject(replaced);
    const third = await two.connect('ann', { app: single, deviceId: 'c' });
    expect(await second.disconnected()).toMatchObject(replaced);
    await stays(third);
    await stays(other);
    expect(await listed(single, 'ann')).toEqual([idOf(third)]);
  });

  it('ends what waits for a resume', async () => {
    const away = await one.connect('away', { app: single, deviceId: 'a' });
    away.cut();
    await waitFor('the detachment', async () => (await one.metric('nudge_gateway_sessions_detached')) === 1);
    const newer = await two.connect('away', { app: single, deviceId: 'b' });
    await waitFor('its end', async () => (await one.metric('nudge_gateway_sessions_detached')) === 0);
    await stays(newer);
    const back = await one.connect('away', { app: single, deviceId: 'a', sessionId: idOf(away) });
    expect(back.welcome?.resumed).toBe(false);
    expect(await newer.disconnected()).toMatchObject(replaced);
  });

  it('lets a session be resumed, and its device come anew', async () => {
    const device = await one.connect('again', { app: single, deviceId: 'a' });
    device.cut();
    await waitFor('the detachment', async () => (await one.metric('nudge_gateway_sessions_detached')) === 1);
    const resumed = await one.connect('again', { app: single, deviceId: 'a', sessionId: idOf(device) });
    expect(resumed.welcome).toMatchObject({ resumed: true, sessionId: idOf(device) });
    const anew = await two.connect('again', { app: single, deviceId: 'a' });
    expect(await resumed.disconnected()).toMatchObject(replaced);
    await stays(anew);
  });

  it('leaves exactly one of two that come at once to two gateways, neither knowing of the other', async () => {
    for (let round = 0; round < 10; round++) {
      const user = `twins${round}`;
      registry.holdReads(2);
      const devices = await together(single, user, [one, two]);
      registry.afterRead = undefined;
      const staying = await survivors(single, user, devices);
      expect(staying).toHaveLength(1);
      for (const device of devices) {
        if (!staying.includes(device)) expect(await device.disconnected()).toMatchObject(replaced);
        device.close();
      }
    }
  });

  it('leaves exactly one of a rush', async () => {
    const devices = await together(
      single,
      'rush',
      Array.from({ length: 12 }, (_, i) => (i % 2 ? one : two)),
    );
    expect(await survivors(single, 'rush', devices)).toHaveLength(1);
    for (const device of devices) device.close();
  });

  it('goes by the order in which they came, whatever the clocks of gateways say', async () => {
    const first = await one.connect('clocks', { app: single, deviceId: 'a' });
    const [record] = await registry.sessionsOf(single.id, 'clocks');
    if (record === undefined) throw new Error('not registered');
    await registry.put({
      ...record,
      gatewayId: 'gateway-2',
      sessionId: 'of-the-future',
      deviceId: 'z',
      connectedAt: Date.now() + 3_600_000,
    });
    const second = await one.connect('clocks', { app: single, deviceId: 'b' });
    expect(await first.disconnected()).toMatchObject(replaced);
    await stays(second);
    await registry.remove(single.id, 'clocks', 'of-the-future');
  });

  it("still keeps the server's own bound", async () => {
    for (const deviceId of ['a', 'b', 'c', 'd']) await (deviceId < 'c' ? one : two).connect('many', { app: wide, deviceId });
    expect(await refusal(one.connect('many', { app: wide, deviceId: 'e' }))).toMatchObject({ code: 'too_many_sessions', retryable: true });
    expect(await listed(wide, 'many')).toHaveLength(4);
  });
});

describe('an app that refuses newcomers', () => {
  it('keeps who is there, on whatever gateway, until that is gone', async () => {
    const first = await one.connect('ann', { app: closed, deviceId: 'a' });
    for (const server of [one, two]) {
      expect(await refusal(server.connect('ann', { app: closed, deviceId: 'b' }))).toMatchObject({
        code: 'too_many_sessions',
        retryable: true,
        retryAfterMs: expect.any(Number),
      });
    }
    await stays(first);
    const anew = await two.connect('ann', { app: closed, deviceId: 'a' });
    expect(await first.disconnected()).toMatchObject(replaced);
    anew.close();
    await waitFor('the end of the session', async () => (await listed(closed, 'ann')).length === 0);
    await stays(await one.connect('ann', { app: closed, deviceId: 'b' }));
  });

  it('lets one of two in that come at once', async () => {
    for (let round = 0; round < 10; round++) {
      const user = `twins${round}`;
      registry.holdReads(2);
      const devices = await together(closed, user, [one, two]);
      registry.afterRead = undefined;
      expect(await survivors(closed, user, devices)).toHaveLength(1);
      for (const device of devices) device.close();
    }
  });
});

describe('an app with one session per platform', () => {
  it('ends the older one of the same platform, and the registry names the platforms', async () => {
    const web = await one.connect('ann', { app: platforms, deviceId: 'a', platform: 'web' });
    const ios = await two.connect('ann', { app: platforms, deviceId: 'b', platform: 'ios' });
    const none = await one.connect('ann', { app: platforms, deviceId: 'c' });
    const newer = await two.connect('ann', { app: platforms, deviceId: 'd', platform: 'web' });
    expect(await web.disconnected()).toMatchObject(replaced);
    for (const device of [ios, none, newer]) await stays(device);
    const records = await registry.sessionsOf(platforms.id, 'ann');
    expect(records.map(({ deviceId, platform }) => [deviceId, platform])).toEqual([
      ['b', 'ios'],
      ['c', undefined],
      ['d', 'web'],
    ]);
  });
});

describe('an app without a rule', () => {
  it('costs no more than it did: one read of the registry and one record a handshake', async () => {
    const before = { reads: registry.reads, puts: registry.puts };
    const device = await one.connect('plain', { deviceId: 'a', platform: 'tv' });
    await device.settled();
    expect({ reads: registry.reads - before.reads, puts: registry.puts - before.puts }).toEqual({ reads: 1, puts: 1 });
    expect(await registry.sessionsOf(world.app.id, 'plain')).toMatchObject([{ platform: 'tv', gatewayId: 'gateway-1' }]);
    await two.connect('plain', { deviceId: 'b' });
    await stays(device);
  });
});
