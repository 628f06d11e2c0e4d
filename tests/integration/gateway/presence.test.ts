import type { MembershipSource } from '@nudge/gateway';
import { MemoryBus, MemorySessionRegistry } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
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
    const clock = new ManualClock(Date.now());
    await using quick = await startGatewayServer(world, { config: { presenceGraceMs: 1_000 }, clock });
    const ann = await quick.connect('ann');
    await ann.call('presence.watch', { userIds: ['bob'] });
    const bob = await quick.connect('bob');
    await waitFor('online', () => ann.presences.at(-1)?.status === 'online');
    for (let i = 0; i < 3; i++) {
      const last = i === 0 ? bob : undefined;
      last?.cut();
      clock.advance(300);
      const back = await quick.connect('bob', { deviceId: `d${i}` });
      await back.settled();
      back.cut();
    }
    await ann.settled();
    expect(ann.presences.map(({ status }) => status)).toEqual(['online']);
    await waitFor('offline', () => {
      clock.advance(1_000);
      return ann.presences.at(-1)?.status === 'offline';
    });
    expect(ann.presences.map(({ status }) => status)).toEqual(['online', 'offline']);
  });

  it('of who shows it to nobody is offline for all but its own devices, whoever asks and however it ends', async () => {
    await world.visibility('hid', 'nobody');
    const [ann, own] = await Promise.all([server.connect('ann'), server.connect('hid', { deviceId: '1' })]);
    const unseen = { userId: 'hid', status: 'offline' };
    expect(await ann.call('presence.watch', { userIds: ['hid'] })).toEqual({ ok: true, presence: [unseen] });
    expect(await own.call('presence.watch', { userIds: ['hid'] })).toEqual({ ok: true, presence: [{ userId: 'hid', status: 'online' }] });
    expect(await server.registry.presenceOf('one', ['hid'])).toEqual([unseen]);
    const second = await server.connect('hid', { deviceId: '2' });
    await own.call('presence.set', { status: 'away' });
    await second.call('presence.set', { status: 'away' });
    await waitFor('the own device to hear', () => own.presences.at(-1)?.status === 'away');
    second.close();
    own.close();
    await waitFor('the sessions to end', async () => (await server.registry.sessionsOf('one', 'hid')).length === 0);
    await ann.settled();
    expect(ann.presences).toEqual([]);
    expect(await ann.call('presence.watch', { userIds: ['hid'] })).toEqual({ ok: true, presence: [unseen] });
  });

  it('changes for those who watch when its user hides or shows itself', async () => {
    await world.visibility('shy', 'everyone');
    const [ann, shy] = await Promise.all([server.connect('ann'), server.connect('shy')]);
    expect(await ann.call('presence.watch', { userIds: ['shy'] })).toMatchObject({ presence: [{ status: 'online' }] });
    await world.visibility('shy', 'nobody');
    await server.publishToUser('shy', { kind: 'user' });
    await waitFor('offline', () => ann.presences.length === 1);
    await shy.call('presence.set', { status: 'away' });
    await shy.call('presence.set', { status: 'online' });
    await ann.settled();
    expect(ann.presences).toEqual([{ userId: 'shy', status: 'offline' }]);
    await world.visibility('shy', 'everyone');
    await server.publishToUser('shy', { kind: 'user' });
    await waitFor('online', () => ann.presences.at(-1)?.status === 'online');
    expect(ann.presences).toHaveLength(2);
  });

  it('hides a user on every gateway that shares the registry, and heals when the word was lost', async () => {
    const [bus, registry] = [new MemoryBus(), new MemorySessionRegistry()];
    await using one = await startGatewayServer(world, { bus, registry, config: { gatewayId: 'one' } });
    await using two = await startGatewayServer(world, { bus, registry, config: { gatewayId: 'two', recheckMs: 50 } });
    const [ann, veiled] = await Promise.all([one.connect('ann'), two.connect('veiled')]);
    expect(await ann.call('presence.watch', { userIds: ['veiled'] })).toMatchObject({ presence: [{ status: 'online' }] });
    await world.visibility('veiled', 'nobody');
    await waitFor('the next comparison', async () => (await registry.presenceOf('one', ['veiled']))[0]?.status === 'offline');
    expect(await ann.call('presence.watch', { userIds: ['veiled'] })).toEqual({
      ok: true,
      presence: [{ userId: 'veiled', status: 'offline' }],
    });
    await veiled.settled();
  });

  it('is hidden while nobody can say whether it may be shown, and shown afterwards', async () => {
    let broken = true;
    const breaking = (store: MembershipSource): MembershipSource => ({
      ...store,
      relations: (users) => (broken ? Promise.reject(new Error('down')) : store.relations(users)),
    });
    await using failing = await startGatewayServer(world, { config: { recheckMs: 30 }, membership: breaking });
    await failing.connect('bob');
    await waitFor('the record', async () => (await failing.registry.sessionsOf('one', 'bob')).length === 1);
    expect(await failing.registry.presenceOf('one', ['bob'])).toEqual([{ userId: 'bob', status: 'offline' }]);
    broken = false;
    await waitFor('online', async () => (await failing.registry.presenceOf('one', ['bob']))[0]?.status === 'online');
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
