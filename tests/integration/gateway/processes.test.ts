import { fileURLToPath } from 'node:url';
import { connectRedis, mintToken, orderGateways, RedisGatewayDirectory } from '@nudge/server-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild } from '../../support/process.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Device } from './support/device.ts';
import { createGatewayWorld, type GatewayWorld } from './support/gateway-server.ts';

const script = fileURLToPath(new URL('../../../apps/gateway/src/main.ts', import.meta.url));

let world: GatewayWorld;
let redis: RedisServer;
beforeAll(async () => {
  [world, redis] = await Promise.all([createGatewayWorld(), startRedis()]);
});
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

interface GatewayProcess extends AsyncDisposable {
  readonly child: Child;
  watching(user: string, conversationId: string): Promise<Device>;
}

async function startProcess(): Promise<GatewayProcess> {
  const env = { PORT: '0', DATABASE_URL: world.database.connectionString, REDIS_URL: redis.url, DRAIN_DEADLINE_MS: '1500' };
  const child = await startChild({ script, env });
  const [, url = ''] = await child.waitForLine(/"url":"([^"]+)".*"msg":"listening"/);
  const devices: Device[] = [];
  return {
    child,
    async watching(userId, conversationId) {
      const { token } = mintToken({ key: world.app.signingKey, userId, ttlSeconds: 600 });
      const device = new Device(Number(new URL(url).port), { token, deviceId: 'd1' });
      devices.push(device);
      await device.welcomed;
      expect(await device.call('watch', { conversationIds: [conversationId] })).toMatchObject({ ok: true, refused: {} });
      return device;
    },
    async [Symbol.asyncDispose]() {
      for (const device of devices) device.close();
      await child[Symbol.asyncDispose]();
    },
  };
}

async function crosses(from: Device, to: Device, id: string): Promise<void> {
  const before = to.events.length;
  await waitFor(
    'an event to cross',
    () => {
      from.event(id, 'x');
      return to.events.length > before;
    },
    { intervalMs: 250, timeoutMs: 20_000 },
  );
}

describe('gateways as processes', () => {
  it('share their rooms through Redis, outlive it, and stop on SIGTERM telling their sockets to move', async () => {
    const id = await world.conversation(['ann', 'bob']);
    await using one = await startProcess();
    await using two = await startProcess();
    const [ann, bob] = [await one.watching('ann', id), await two.watching('bob', id)];
    await crosses(ann, bob, id);
    await redis.signal('SIGKILL');
    for (const device of [ann, bob]) {
      for (let i = 0; i < 5; i++) device.event(id, 'into-the-void');
      await device.settled();
    }
    await redis.restart();
    await crosses(ann, bob, id);
    await crosses(bob, ann, id);
    const exit = one.child.kill('SIGTERM');
    await waitFor('the word to move', () => ann.controls.some(({ type }) => type === 'reconnect'));
    expect(await ann.disconnected()).toMatchObject({ code: 3000, reason: 'draining' });
    expect(await exit).toEqual({ code: 0, signal: null });
    await bob.settled();
    expect(bob.closedAt).toBeUndefined();
  }, 90_000);
});

it('a gateway without its database is the last that devices are sent to, until it has it again', async () => {
  await using proxy = await createTcpProxy({ port: Number(new URL(world.database.connectionString).port) });
  const env = { PORT: '0', DATABASE_URL: proxy.through(world.database.connectionString), REDIS_URL: redis.url };
  await using child = await startChild({ script, env });
  const [, url = ''] = await child.waitForLine(/"url":"([^"]+)".*"msg":"listening"/);
  await using connection = await connectRedis({ url: redis.url, timings: { commandMs: 5_000 } });
  await using directory = new RedisGatewayDirectory({ connection });
  const healthy = { id: 'healthy', url: 'http://healthy.example', zone: 'default', load: 0, sockets: 0, draining: false };
  const users = Array.from({ length: 40 }, (_, n) => ({ appId: world.app.id, userId: `user${n}` }));
  const sentThere = async () => {
    await directory.put(healthy, 60_000);
    const gateways = await directory.list();
    expect(gateways.map((gateway) => gateway.url)).toContain(url);
    return users.filter((user) => orderGateways(user, gateways, 8)[0]?.url === url).length;
  };
  await waitFor('users to be sent there', async () => (await sentThere()) > 0);
  proxy.stall();
  await waitFor('nobody to be sent there', async () => (await sentThere()) === 0, { timeoutMs: 30_000, intervalMs: 200 });
  expect(proxy.stats.fired.stall).toBeGreaterThan(0);
  await directory.remove('healthy');
  // One that was killed before may be listed still.
  const itself = (await directory.list()).filter((gateway) => gateway.url === url);
  expect(orderGateways({ appId: 'a', userId: 'u' }, itself, 8), 'better than none').toHaveLength(1);
  proxy.heal();
  await waitFor('users to be sent there again', async () => (await sentThere()) > 0, { timeoutMs: 30_000, intervalMs: 200 });
}, 90_000);
