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

describe('presence', () => {
  it('answers how users are and tells changes; the list replaces the one before', async () => {
    const ann = await server.connect('ann');
    const bob = await server.connect('bob');
    expect(await ann.call('presence.watch', { userIds: ['bob', 'nobody', 'bob'] })).toEqual({
      ok: true,
      presence: [
        { userId: 'bob', status: 'online' },
        { userId: 'nobody', status: 'offline' },
      ],
    });
    await bob.call('presence.set', { status: 'away' });
    await waitFor('away', () => ann.presences.at(-1)?.status === 'away');
    const second = await server.connect('bob', { deviceId: 'd2' });
    await waitFor('online through another device', () => ann.presences.at(-1)?.status === 'online');
    bob.close();
    second.close();
    await waitFor('offline', () => ann.presences.at(-1)?.status === 'offline');
    expect(ann.presences.at(-1)).toEqual({ userId: 'bob', status: 'offline', lastSeenAt: expect.stringMatching(/Z$/) });
    await ann.call('presence.watch', { userIds: [] });
    const heard = ann.presences.length;
    await server.connect('bob');
    await ann.settled();
    expect(ann.presences).toHaveLength(heard);
  });

  it('of one app is nothing to another', async () => {
    const ann = await server.connect('ann', { app: world.otherApp });
    await server.connect('dan');
    expect(await ann.call('presence.watch', { userIds: ['dan'] })).toMatchObject({ presence: [{ status: 'offline' }] });
  });

  it('does not flicker when a connection breaks and comes back, and ends when it does not', async () => {
    await using quick = await startGatewayServer(world, { config: { presenceGraceMs: 1_000 } });
    const ann = await quick.connect('ann');
    await ann.call('presence.watch', { userIds: ['bob'] });
    const bob = await quick.connect('bob');
    await waitFor('online', () => ann.presences.at(-1)?.status === 'online');
    for (let i = 0; i < 3; i++) {
      const last = i === 0 ? bob : undefined;
      last?.cut();
      const back = await quick.connect('bob', { deviceId: `d${i}` });
      await back.settled();
      back.cut();
    }
    await ann.settled();
    expect(ann.presences.map(({ status }) => status)).toEqual(['online']);
    await waitFor('offline', () => ann.presences.at(-1)?.status === 'offline', { timeoutMs: 5_000 });
    expect(ann.presences.map(({ status }) => status)).toEqual(['online', 'offline']);
  });

  it('is nothing the registry remembers after the gateway stopped', async () => {
    const stopping = await startGatewayServer(world);
    await stopping.connect('ann');
    expect(await stopping.registry.sessionsOf('one', 'ann')).toHaveLength(1);
    await stopping.gateway[Symbol.asyncDispose]();
    expect(await stopping.registry.sessionsOf('one', 'ann')).toHaveLength(0);
    await stopping[Symbol.asyncDispose]();
  });
});
