import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load, quantile } from './support/load.ts';
import { directoryIsWhole, keysFlow, registryIsWhole } from './support/rebuilt.ts';
import { type Stack, startStack } from './support/stack.ts';

let stack: Stack;
let fleet: Fleet;
const loads: Load[] = [];

beforeAll(async () => {
  stack = await startStack();
  fleet = await startFleet(stack);
}, 180_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
}, 60_000);

/** No request may wait longer for a Redis that is away, with room for a machine that does other things. */
const longestMs = 10_000;

interface Fault {
  readonly name: string;
  /** Resolves when the fault is proven to be there. */
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** Sends and pulls under a fault, then everything is as it was: keys, directory, registry, and the history is whole. */
async function survive({ name, begin, end }: Fault): Promise<void> {
  const load = new Load(stack, fleet.groups, { name });
  loads.push(load);
  await load.progress(20);
  // A failure must not leave the fault to the next test.
  let over = false;
  const endOnce = async () => {
    if (over) return;
    over = true;
    await end();
  };
  onTestFinished(async () => {
    await endOnce();
    await load.stop();
  });
  await begin();
  const [sends, pulls] = [load.sendMs.length, load.pullMs.length];
  await load.progress(40);
  expect([...load.refusals], 'every send and pull succeeds meanwhile').toEqual([]);
  expect(load.lost).toBe(0);
  const sendMs = quantile(load.sendMs.slice(sends), 0.99);
  const pullMs = quantile(load.pullMs.slice(pulls), 0.99);
  console.log(`${name}: p99 of sends ${Math.round(sendMs)} ms, of pulls ${Math.round(pullMs)} ms meanwhile`);
  expect(Math.max(sendMs, pullMs), 'ms').toBeLessThan(longestMs);
  await endOnce();
  await everyProcessHasRedis();
  await keysFlow(fleet);
  await directoryIsWhole(stack);
  await registryIsWhole(stack, fleet);
  await load.stop();
  expect([...load.refusals]).toEqual([]);
  expect(stack.ends, 'no process died').toEqual([]);
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);
}

const everyone = () => (['gateway', 'api', 'sync'] as const).flatMap((role) => stack.of(role));
const redisUp = () => Promise.all(everyone().map((app) => stack.metric(app, 'nudge_redis_up')));

async function everyProcessHasRedis(): Promise<void> {
  await waitFor('every process to have Redis again', async () => (await redisUp()).every((up) => up === 1), { timeoutMs: 30_000 });
}

async function noProcessHasRedis(): Promise<void> {
  await waitFor('every process to miss Redis', async () => (await redisUp()).every((up) => up === 0), { timeoutMs: 30_000 });
}

test(
  'Redis killed and started again, empty: sends and pulls go on, registry and directory are rebuilt',
  () =>
    survive({
      name: 'killed',
      async begin() {
        await stack.redis.signal('SIGKILL');
        await noProcessHasRedis();
      },
      end: () => stack.redis.restart(),
    }),
  180_000,
);

test(
  'Redis stopped in its tracks: connections stay open and nothing answers',
  () =>
    survive({
      name: 'stopped',
      async begin() {
        await stack.redis.signal('SIGSTOP');
        await waitFor('Redis to stand still', () => readFileSync(`/proc/${stack.redis.pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T'));
        await noProcessHasRedis();
      },
      end: () => stack.redis.signal('SIGCONT'),
    }),
  180_000,
);

test(
  'everything in Redis is thrown away',
  () =>
    survive({
      name: 'flushed',
      async begin() {
        await registryIsWhole(stack, fleet);
        expect(await stack.redis.command('DBSIZE')).not.toBe(0);
        expect(await stack.redis.command('FLUSHALL')).toBe('OK');
      },
      end: async () => undefined,
    }),
  180_000,
);

test(
  'the way to Redis is half open: nothing passes and nothing closes',
  () =>
    survive({
      name: 'half-open',
      async begin() {
        stack.network.stall();
        await noProcessHasRedis();
        expect(stack.network.stats.fired.stall).toBeGreaterThan(0);
      },
      end: async () => stack.network.heal(),
    }),
  180_000,
);
