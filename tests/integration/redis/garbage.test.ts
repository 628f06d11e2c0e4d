import { connectRedis, RedisGatewayDirectory, RedisSessionRegistry } from '@nudge/server-kit';
import { expect, it } from 'vitest';
import { startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';
import { openProcess, patient } from './support/processes.ts';

const garbage = ['', 'v', 'vx', 'v{}', 'v[1,2,3,4,5]', 'v["d","g","asleep",1,"g "]', '{"__proto__":{"id":"g"}}', '\u0000'];

it('what nobody of ours wrote hides no session and no gateway', async () => {
  await using redis = await startRedis();
  await using connection = await connectRedis({ url: redis.url, timings: patient });
  await using registry = new RedisSessionRegistry({ connection });
  await using directory = new RedisGatewayDirectory({ connection });

  await registry.renewLease('g1', 60_000);
  const record = {
    appId: 'a',
    userId: 'ann',
    deviceId: 'd',
    sessionId: 's',
    gatewayId: 'g1',
    status: 'offline',
    connectedAt: 1,
    hidden: false,
  } as const;
  await registry.put(record);
  const gateway = { id: 'g1', url: 'http://127.0.0.1:1', zone: '', load: 0, sockets: 0, draining: false };
  await directory.put(gateway, 60_000);

  const keys = (await redis.command('KEYS', '*')) as string[];
  const user = keys.find((key) => key.includes('ann')) ?? '';
  const [ends, said] = ['ends', 'said'].map((part) => keys.find((key) => key.endsWith(`{gateways}/${part}`)) ?? '');
  const farAway = String(Date.now() + 3_600_000);
  for (const [n, text] of garbage.entries()) {
    await redis.command('HSET', user, `s:x${n}`, text);
    await redis.command('ZADD', ends ?? '', farAway, `x${n}`);
    await redis.command('HSET', said ?? '', `x${n}`, text);
  }
  await redis.command('HSET', user, 'seen', '1e300');

  expect(await registry.sessionsOf('a', 'ann')).toEqual([record]);
  expect(await registry.presenceOf('a', ['ann'])).toEqual([{ userId: 'ann', status: 'offline' }]);
  expect((await directory.list()).map(({ id }) => id)).toEqual(['g1']);
  await registry.remove('a', 'ann', 's');
  expect(await registry.sessionsOf('a', 'ann')).toEqual([]);
});

it('a key of another type under one user is no reason to put all sessions again', async () => {
  await using redis = await startRedis();
  const { registry, lost } = await openProcess({ url: redis.url });
  await registry.renewLease('g1', 30_000);
  await redis.command('SET', 'nudge:user/a/ann', 'x');
  expect(await registry.presenceOf('a', ['ann', 'bob'])).toEqual(['ann', 'bob'].map((userId) => ({ userId, status: 'offline' })));
  await registry.renewLease('g1', 30_000);
  expect(lost).toEqual([]);
});

it('two installations on one server with database numbers of their own hear nothing of each other', async () => {
  await using redis = await startRedis();
  const [here, there] = [await openProcess({ url: `${redis.url}/0` }), await openProcess({ url: `${redis.url}/1` })];
  const heard: string[] = [];
  for (const [name, { bus }] of Object.entries({ here, there }))
    await bus.subscribe('a/u/ann', ({ kind }) => heard.push(`${name} ${kind}`));
  await here.bus.publish([{ topic: 'a/u/ann', message: { kind: 'kick', reason: 'kicked' } }]);
  await there.bus.publish([{ topic: 'a/u/ann', message: { kind: 'user' } }]);
  await waitFor('both', () => heard.length >= 2);
  expect(heard.sort()).toEqual(['here kick', 'there user']);
});
