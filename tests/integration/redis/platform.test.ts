import { createLogger, readConfig, startPlatform } from '@nudge/server-kit';
import { expect, it } from 'vitest';
import { startRedis } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';

/** A platform without a database: what is asked of one here does not matter. */
function start(environment: Record<string, string>) {
  const cluster = { systemIdentifier: '1', timeline: 1 };
  return startPlatform({
    config: readConfig({ PORT: '0', ...environment }),
    log: createLogger({ name: 'test', level: 'silent' }),
    load: async () => ({ apps: [], keys: [] }),
    ensure: async () => undefined,
    restrictions: async () => ({ rows: [], readAt: Date.now() }),
    identity: async () => ({ actual: cluster, recorded: cluster, recordedAt: '1' }),
    onConnect: () => undefined,
    localhost: false,
  });
}

const topic = 'app/u/alice';
const message = { kind: 'user' } as const;

it('stands on memory, and on Redis when REDIS_URL names one', async () => {
  await using alone = await start({});
  expect(alone.redis).toBeUndefined();
  await using redis = await startRedis();
  await using here = await start({ REDIS_URL: redis.url });
  await using there = await start({ REDIS_URL: redis.url });
  let [heardThere, heardAlone] = [0, 0];
  await there.bus.subscribe(topic, () => heardThere++);
  await alone.bus.subscribe(topic, () => heardAlone++);
  // A machine that stands still makes them connect anew: what is on its way meanwhile is lost.
  await waitFor('what was published', async () => {
    await here.bus.publish([{ topic, message }]);
    return heardThere > 0;
  });
  expect(heardAlone).toBe(0);
  await waitFor('Redis to count as up', () => here.redis?.up);
});

it('is ready without Redis, says so in a metric, and has it as soon as it is there', async () => {
  await using redis = await startRedis();
  await redis.signal('SIGKILL');
  await using platform = await start({ REDIS_URL: redis.url });
  await using host = platform.host({ hot: [], routes: [], ready: [] });
  const { opsUrl } = await host.start();
  const up = async () => /^nudge_redis_up (\d)$/m.exec(await (await fetch(`${opsUrl}/metrics`)).text())?.[1];
  expect((await fetch(`${opsUrl}/readyz`)).status).toBe(200);
  expect(await up()).toBe('0');
  expect(await platform.registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'offline' }]);
  await expect(platform.bus.publish([{ topic, message }])).rejects.toMatchObject({ code: 'overloaded' });

  await redis.restart();
  await waitFor('the metric to follow', async () => (await up()) === '1');
  await waitFor('the bus to take it', () => platform.bus.publish([{ topic, message }]).then(() => true));
});
