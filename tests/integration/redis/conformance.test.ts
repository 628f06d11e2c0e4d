import { randomUUID } from 'node:crypto';
import {
  connectRedis,
  RedisBus,
  type RedisConnection,
  RedisGatewayDirectory,
  RedisRateLimiter,
  RedisSessionRegistry,
} from '@nudge/server-kit';
import {
  busConformance,
  gatewayDirectoryConformance,
  ManualClock,
  rateLimiterConformance,
  sessionRegistryConformance,
} from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe } from 'vitest';
import { startRedis, startRedisCluster } from '../../support/redis.ts';

/** The directory goes by the server's time, which cannot be set: instead all that ends there ends so much sooner. */
async function pass({ commands }: RedisConnection, prefix: string, ms: number): Promise<void> {
  const [ends, said] = [`${prefix}{gateways}/ends`, `${prefix}{gateways}/said`];
  for (const id of await commands.zrange(ends, '0', '-1')) await commands.zincrby(ends, -ms, id);
  for (const key of [ends, said]) await commands.pexpire(key, (await commands.pttl(key)) - ms);
}

/** A machine under load is no reason to go on without Redis: what is tested here would be something else. */
const patient = { commandMs: 20_000, hotCommandMs: 20_000, connectMs: 20_000, canaryDeadlineMs: 60_000, startMs: 20_000 };

const kinds = { standalone: startRedis, 'a cluster of three masters': startRedisCluster };

describe.each(Object.entries(kinds))('on %s', (_, start) => {
  let stack: AsyncDisposableStack;
  let connection: RedisConnection;
  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const server = stack.use(await start());
    connection = stack.use(await connectRedis({ url: server.url, timings: patient }));
  });
  afterAll(() => stack.disposeAsync());

  busConformance(() => RedisBus.open({ connection, prefix: `${randomUUID()}:` }));
  describe('several', () => busConformance(() => RedisBus.open({ connection }), { shared: true }));
  rateLimiterConformance(() => {
    const clock = new ManualClock();
    return { limiter: new RedisRateLimiter({ connection, clock }), advance: (ms) => clock.advance(ms) };
  });
  gatewayDirectoryConformance(() => {
    const prefix = `${randomUUID()}:`;
    const directory = new RedisGatewayDirectory({ connection, prefix });
    return { directory, advance: (ms) => pass(connection, prefix, ms) };
  });
  sessionRegistryConformance(() => {
    const clock = new ManualClock();
    const registry = new RedisSessionRegistry({ connection, clock, prefix: `${randomUUID()}:` });
    return { registry, advance: (ms) => clock.advance(ms) };
  });
});
