import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('keys', () => {
  it('reach every device of the user, and nobody else', async () => {
    const [phone, laptop, other, tenant] = await Promise.all([
      server.connect('ann', { deviceId: 'phone' }),
      server.connect('ann', { deviceId: 'laptop' }),
      server.connect('bob'),
      server.connect('ann', { app: world.otherApp }),
    ]);
    await server.publishToUser('ann', { kind: 'key', log: 'c/1', seq: 5 });
    await waitFor('both', () => phone.heard('c/1') === 5 && laptop.heard('c/1') === 5);
    await other.settled();
    await tenant.settled();
    expect([other.notifies, tenant.notifies]).toEqual([[], []]);
  });

  it('carry a log and a seq and nothing else', async () => {
    const device = await server.connect('cem');
    await server.publishToUser('cem', { kind: 'key', log: 'c/1', seq: 5, direct: true });
    await waitFor('the key', () => device.notifies.length > 0);
    expect(device.notifies).toEqual([{ keys: [['c/1', 5]] }]);
  });

  it('of a burst merge to the newest', async () => {
    const device = await server.connect('dan');
    for (let seq = 1; seq <= 500; seq++) await server.publishToUser('dan', { kind: 'key', log: 'c/burst', seq });
    await waitFor('the newest', () => device.heard('c/burst') === 500);
    expect(device.notifies.length).toBeLessThan(50);
  });

  it('of a mention reach a device at once that all others have to wait for', async () => {
    const full = { maxMs: 60_000, low: 0, high: 0.000_001, fullDelayMs: 0.000_001, fullWaiting: 1 };
    await using busy = await startGatewayServer(world, { config: { gap: full } });
    const device = await busy.connect('fay');
    await waitFor('the gap', async () => (await busy.metric('nudge_gateway_gap_seconds')) > 30);
    await busy.publishToUser('fay', { kind: 'key', log: 'c/crowd', seq: 1 });
    await waitFor('the first, of a quiet device', () => device.heard('c/crowd') === 1);
    await busy.publishToUser('fay', { kind: 'key', log: 'c/crowd', seq: 2 });
    await device.settled();
    expect(device.heard('c/crowd')).toBe(1);
    await busy.publishToUser('fay', { kind: 'key', log: 'c/crowd', seq: 3, direct: true });
    await waitFor('the mention', () => device.heard('c/crowd') === 3);
  });

  it('that were lost with the bus become a resync', async () => {
    await using jittered = await startGatewayServer(world, { config: { resyncSpreadMs: 50 } });
    const device = await jittered.connect('eve');
    jittered.bus.interrupt();
    await waitFor('the resync', () => device.resyncs === 1);
  });

  it('are heard from the moment of the welcome on, under any number of connects', async () => {
    const users = Array.from({ length: 30 }, (_, i) => `early${i}`);
    const missed: string[] = [];
    await Promise.all(
      users.map(async (user) => {
        const device = await server.connect(user);
        await server.publishToUser(user, { kind: 'key', log: `u/${user}`, seq: 1 });
        await waitFor('the first key', () => device.heard(`u/${user}`) === 1).catch(() => missed.push(user));
      }),
    );
    expect(missed).toEqual([]);
  });
});
