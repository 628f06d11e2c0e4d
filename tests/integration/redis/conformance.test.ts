import { randomUUID } from 'node:crypto';
import { setTimeout as pass } from 'node:timers/promises';
import {
  connectRedis,
  RedisBus,
  type RedisConnection,
  RedisGatewayDirectory,
  RedisRateLimiter,
  RedisSessionRegistry,
} from '@nudge/server-kit';
import { busConformance, gatewayDirectoryConformance, rateLimiterConformance, sessionRegistryConformance } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe } from 'vitest';
import { startRedis, startRedisCluster } from '../../support/redis.ts';

/** The servers' time cannot be set: it passes, and a little more, so that a timer that fires early is no fault. */
const advance = (ms: number) => pass(ms + 2);

const kinds = { standalone: startRedis, 'a cluster of three masters': startRedisCluster };

describe.each(Object.entries(kinds))('on %s', (_, start) => {
  let stack: AsyncDisposableStack;
  let connection: RedisConnection;
  beforeAll(async () => {
    stack = new AsyncDisposableStack();
    const server = stack.use(await start());
    connection = stack.use(await connectRedis({ url: server.url }));
  });
  afterAll(() => stack.disposeAsync());

  busConformance(() => RedisBus.open({ connection, prefix: `${randomUUID()}:` }));
  describe('several', () => busConformance(() => RedisBus.open({ connection }), { shared: true }));
  rateLimiterConformance(() => ({ limiter: new RedisRateLimiter({ connection }), advance }));
  gatewayDirectoryConformance(() => ({ directory: new RedisGatewayDirectory({ connection, prefix: `${randomUUID()}:` }), advance }));
  sessionRegistryConformance(() => ({ registry: new RedisSessionRegistry({ connection, prefix: `${randomUUID()}:` }), advance }));
});
