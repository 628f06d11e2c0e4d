import { connectRedis, RedisSessionRegistry } from '@nudge/server-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await createGatewayWorld();
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

it('a registry that lost everything, or was away, is told again who is here, and nobody hears of it', async () => {
  await using redis = await startRedis();
  await using connection = await connectRedis({ url: redis.url, timings: { commandMs: 300, restMs: 50, retryMaxMs: 100 } });
  await using registry = new RedisSessionRegistry({ connection });
  await using server = await startGatewayServer(world, { registry, config: { leaseMs: 900, resyncSpreadMs: 50 } });
  const users = Array.from({ length: 30 }, (_, i) => `reg${i}`);
  const devices = await Promise.all(users.map((user) => server.connect(user)));
  const online = async () => {
    const presence = await registry.presenceOf(world.app.id, users);
    return presence.filter(({ status }) => status === 'online').length;
  };
  await waitFor('all to be known', async () => (await online()) === users.length);
  const watcher = await server.connect('watcher');
  await watcher.call('presence.watch', { userIds: users });

  await redis.command('FLUSHALL');
  expect(await online()).toBe(0);
  await waitFor('all to be known again', async () => (await online()) === users.length);

  await redis.signal('SIGKILL');
  const left = devices.pop();
  left?.close();
  await waitFor('the session to be gone here', async () => (await server.metric('nudge_gateway_sessions_live')) === users.length);
  await redis.restart();
  await waitFor('those who are still here', async () => (await online()) === users.length - 1);
  await watcher.settled();
  expect(watcher.presences.filter(({ status, userId }) => status === 'online' || userId !== users.at(-1))).toEqual([]);
}, 60_000);
