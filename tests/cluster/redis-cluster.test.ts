import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisCluster, redisCommand, startRedisCluster } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load } from './support/load.ts';
import { directoryIsWhole, keysFlow, registryIsWhole } from './support/rebuilt.ts';
import { type Stack, startStackOnRedis } from './support/stack.ts';

let redis: RedisCluster;
let stack: Omit<Stack, 'redis' | 'network'>;
let fleet: Fleet;
const loads: Load[] = [];

beforeAll(async () => {
  redis = await startRedisCluster();
  stack = await startStackOnRedis(redis.url);
  fleet = await startFleet(stack);
}, 240_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
}, 60_000);

/** Which servers are masters, as those that live see it. */
async function mastersNow(): Promise<number[]> {
  const roles = await Promise.all(
    redis.servers.map(async ({ port }) =>
      String(await redisCommand(port, ['INFO', 'replication']).catch(() => '')).includes('role:master'),
    ),
  );
  return roles.flatMap((isMaster, index) => (isMaster ? [index] : []));
}

test('a master of a real Redis Cluster dies and its replica takes over: sends and pulls go on, keys, registry and directory come back', async () => {
  const load = new Load(stack, fleet.groups, { name: 'failover' });
  loads.push(load);
  await load.progress(20);
  await keysFlow(fleet);
  const before = await mastersNow();
  expect(before).toHaveLength(3);
  const [victim = 0] = before;
  await redis.servers[victim]?.signal('SIGKILL');
  await load.progress(40);
  await waitFor('a replica to take over', async () => (await mastersNow()).length === 3, { timeoutMs: 30_000 });
  expect(await mastersNow()).not.toContain(victim);
  await keysFlow(fleet);
  await directoryIsWhole(stack);
  await registryIsWhole(stack, fleet);
  await load.stop();
  expect([...load.refusals], 'every send and pull succeeded').toEqual([]);
  expect(load.lost).toBe(0);
  expect(stack.ends).toEqual([]);
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);

  await redis.servers[victim]?.restart();
  await redis.settled();
}, 180_000);

test('a failover that the operator asked for loses nothing either', async () => {
  const load = new Load(stack, fleet.groups, { name: 'asked' });
  loads.push(load);
  await load.progress(20);
  const before = await mastersNow();
  const replica = redis.servers.findIndex((_, index) => !before.includes(index));
  expect(await redis.servers[replica]?.command('CLUSTER', 'FAILOVER')).toBe('OK');
  await waitFor('the replica to be a master', async () => (await mastersNow()).includes(replica), { timeoutMs: 30_000 });
  await load.progress(40);
  await keysFlow(fleet);
  await directoryIsWhole(stack);
  await registryIsWhole(stack, fleet);
  await load.stop();
  expect([...load.refusals]).toEqual([]);
  expect(stack.ends).toEqual([]);
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);
}, 180_000);
