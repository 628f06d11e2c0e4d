import { fileURLToPath } from 'node:url';
import { mintToken } from '@nudge/server-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Child, startChild } from '../../support/process.ts';
import { type RedisServer, startRedis } from '../../support/redis.ts';
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
