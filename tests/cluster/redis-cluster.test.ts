import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type RedisCluster, type RedisServer, redisCommand, startRedisCluster } from '../support/redis.ts';
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
  redis = await startRedisCluster({ proxied: true });
  stack = await startStackOnRedis(redis.url);
  fleet = await startFleet(stack);
}, 240_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
}, 60_000);

/** Which servers are masters, as those see it that live: those that answer soon. */
async function mastersNow(): Promise<number[]> {
  const roles = await Promise.all(
    redis.servers.map(async ({ port }) =>
      String(await redisCommand(port, ['INFO', 'replication'], 2_000).catch(() => '')).includes('role:master'),
    ),
  );
  return roles.flatMap((isMaster, index) => (isMaster ? [index] : []));
}

/** The same once there are three: a look can miss one that lives and is slow to answer. */
function threeMasters(): Promise<number[]> {
  return waitFor('three masters', async () => [await mastersNow()].find(({ length }) => length === 3), { timeoutMs: 30_000 });
}

test('a master of a real Redis Cluster dies and its replica takes over: sends and pulls go on, keys, registry and directory come back', async () => {
  const load = new Load(stack, fleet.groups, { name: 'failover' });
  loads.push(load);
  await load.progress(20);
  await keysFlow(fleet);
  const [victim = 0] = await threeMasters();
  await redis.servers[victim]?.signal('SIGKILL');
  await load.progress(40);
  // Of the others, that is: its replica has taken over.
  expect(await threeMasters()).not.toContain(victim);
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
  const before = await threeMasters();
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

/** Everything is as it was, and the history is whole. */
async function wholeAgain(load: Load): Promise<void> {
  await redis.settled();
  await keysFlow(fleet);
  await directoryIsWhole(stack);
  await registryIsWhole(stack, fleet);
  await load.stop();
  expect([...load.refusals], 'every send and pull succeeded').toEqual([]);
  expect(load.lost).toBe(0);
  expect(stack.ends).toEqual([]);
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);
}

async function startLoad(name: string): Promise<Load> {
  const load = new Load(stack, fleet.groups, { name });
  loads.push(load);
  onTestFinished(() => load.stop());
  await load.progress(20);
  return load;
}

const standsStill = ({ pid }: RedisServer) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T');

test('everything in the Cluster is thrown away', async () => {
  const load = await startLoad('flushed');
  await registryIsWhole(stack, fleet);
  const sizes = [];
  for (const at of await threeMasters()) {
    sizes.push(Number(await redis.servers[at]?.command('DBSIZE')));
    expect(await redis.servers[at]?.command('FLUSHALL')).toBe('OK');
  }
  expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(0);
  await load.progress(40);
  await wholeAgain(load);
}, 180_000);

test('a master stands still with its connections open: its replica takes over, and it comes back as one', async () => {
  const load = await startLoad('still');
  const [victim = 0] = await threeMasters();
  const server = redis.servers[victim];
  if (server === undefined) throw new Error('no master');
  onTestFinished(() => server.signal('SIGCONT'));
  await server.signal('SIGSTOP');
  await waitFor('it to stand still', () => standsStill(server));
  await load.progress(40);
  // Of the others, that is: its replica has taken over.
  expect(await threeMasters()).not.toContain(victim);
  await keysFlow(fleet);
  await server.signal('SIGCONT');
  await waitFor('it to be a replica', async () => !(await mastersNow()).includes(victim), { timeoutMs: 30_000 });
  await wholeAgain(load);
}, 180_000);

const everyone = () => (['gateway', 'api', 'sync'] as const).flatMap((role) => stack.of(role));

/** Every process says that it has no Redis. */
async function everyoneMissesIt(): Promise<void> {
  await waitFor(
    'every process to miss Redis',
    async () => (await Promise.all(everyone().map((app) => stack.metric(app, 'nudge_redis_up')))).every((up) => up === 0),
    { timeoutMs: 30_000 },
  );
}

test('the way to one master is half open: nothing passes and nothing closes, and nobody takes over', async () => {
  const load = await startLoad('half open');
  const before = await threeMasters();
  const network = redis.networks[before[0] ?? 0];
  onTestFinished(() => network?.heal());
  network?.stall();
  await load.progress(40);
  expect(network?.stats.fired.stall).toBeGreaterThan(0);
  expect(await threeMasters()).toEqual(before);
  network?.heal();
  await wholeAgain(load);
}, 180_000);

test('the way to all of the Cluster is half open', async () => {
  const load = await startLoad('all half open');
  const heal = () => {
    for (const network of redis.networks) network.heal();
  };
  onTestFinished(heal);
  for (const network of redis.networks) network.stall();
  await everyoneMissesIt();
  await load.progress(40);
  for (const at of await threeMasters()) expect(redis.networks[at]?.stats.fired.stall).toBeGreaterThan(0);
  heal();
  await wholeAgain(load);
}, 180_000);

test('all of the Cluster stands still with its connections open', async () => {
  const load = await startLoad('all still');
  const end = async () => {
    for (const server of redis.servers) await server.signal('SIGCONT');
  };
  onTestFinished(end);
  for (const server of redis.servers) await server.signal('SIGSTOP');
  await waitFor('them to stand still', () => redis.servers.every(standsStill));
  await everyoneMissesIt();
  await load.progress(40);
  await end();
  await wholeAgain(load);
}, 180_000);
