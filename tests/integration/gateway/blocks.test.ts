import type { MembershipSource } from '@nudge/gateway';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import type { Device } from './support/device.ts';
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

/** Devices of these users, all of which watch a new conversation of theirs. */
async function watchers(users: readonly string[], at: GatewayServer = server): Promise<{ id: string; devices: Device[] }> {
  const id = await world.conversation(users);
  const devices = await Promise.all(users.map((user) => at.connect(user)));
  for (const device of devices) await device.call('watch', { conversationIds: [id] });
  return { id, devices };
}

async function settle(devices: readonly Device[]): Promise<void> {
  for (const device of devices) await device.settled();
}

/** Says something in every ephemeral way; answers whether `to` hears all of it, some or nothing. */
async function hears(from: Device, to: Device, id: string): Promise<number> {
  const heard = to.typings.length + to.events.length;
  from.typing(id, true);
  await settle([from, to]);
  from.event(id, 'x');
  await settle([from, to]);
  return to.typings.length + to.events.length - heard;
}

/** A word of the bus that tells gateways to read a user again. */
const news = async (...users: string[]) => {
  for (const user of users) await server.publishToUser(user, { kind: 'user' });
};

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('missing');
  return value;
}

describe('a block', () => {
  it('keeps typing and events of a group from passing between the two, in both directions, and from nobody else', async () => {
    await world.block('b1-ann', 'b1-bob');
    const { id, devices } = await watchers(['b1-ann', 'b1-bob', 'b1-cem']);
    const [ann, bob, cem] = [present(devices[0]), present(devices[1]), present(devices[2])];
    expect([await hears(ann, bob, id), await hears(bob, ann, id)]).toEqual([0, 0]);
    expect([await hears(ann, cem, id), await hears(bob, cem, id), await hears(cem, ann, id), await hears(cem, bob, id)]).toEqual([
      2, 2, 2, 2,
    ]);
  });

  it('is in force when the bus has said so, and over when it says so again', async () => {
    const { id, devices } = await watchers(['b2-ann', 'b2-bob']);
    const [ann, bob] = [present(devices[0]), present(devices[1])];
    expect(await hears(ann, bob, id)).toBe(2);
    await world.block('b2-bob', 'b2-ann');
    await news('b2-ann', 'b2-bob');
    // Nothing passes from the moment of the word on, be it read or not.
    expect([await hears(ann, bob, id), await hears(bob, ann, id)]).toEqual([0, 0]);
    await world.block('b2-bob', 'b2-ann', false);
    await news('b2-ann', 'b2-bob');
    await waitFor('it to pass again', async () => (await hears(ann, bob, id)) === 2);
  });

  it('is found by the next comparison when the word was lost', async () => {
    await using quick = await startGatewayServer(world, { config: { recheckMs: 50, staleMs: 5_000 } });
    const { id, devices } = await watchers(['b3-ann', 'b3-bob'], quick);
    const [ann, bob] = [present(devices[0]), present(devices[1])];
    await world.block('b3-ann', 'b3-bob');
    await waitFor('silence', async () => (await hears(ann, bob, id)) === 0);
    expect(await hears(bob, ann, id)).toBe(0);
  });

  it('lets nothing through while it is being read, to or from the user', async () => {
    const reads: (() => void)[] = [];
    let held = false;
    const holding = (store: MembershipSource): MembershipSource => ({
      ...store,
      relations: async (users) => {
        const relations = await store.relations(users);
        if (held) await new Promise<void>((resolve) => reads.push(resolve));
        return relations;
      },
    });
    await using slow = await startGatewayServer(world, { membership: holding });
    const { id, devices } = await watchers(['b4-ann', 'b4-bob', 'b4-cem'], slow);
    const [ann, bob, cem] = [present(devices[0]), present(devices[1]), present(devices[2])];
    held = true;
    await slow.publishToUser('b4-bob', { kind: 'user' });
    await waitFor('the read', () => reads.length === 1);
    expect([await hears(ann, bob, id), await hears(bob, ann, id), await hears(ann, cem, id)]).toEqual([0, 0, 2]);
    // Blocked while the read is on its way: its answer is too old, another one follows.
    await world.block('b4-ann', 'b4-bob');
    await slow.publishToUser('b4-bob', { kind: 'user' });
    await slow.publishToUser('b4-ann', { kind: 'user' });
    held = false;
    for (const go of reads.splice(0)) go();
    await waitFor('cem hears bob again', async () => (await hears(bob, cem, id)) === 2);
    expect([await hears(ann, bob, id), await hears(bob, ann, id)]).toEqual([0, 0]);
  });

  it('is not guessed at: while it cannot be read nobody watches, and those who do hear nothing', async () => {
    let broken = true;
    const breaking = (store: MembershipSource): MembershipSource => ({
      ...store,
      relations: (users) => (broken ? Promise.reject(new Error('down')) : store.relations(users)),
    });
    const staleMs = 20_000;
    const clock = new ManualClock(Date.now());
    // With a clock that stands still nobody's share is given back: silence must not come from there.
    const limits = { socketEventsPer10Seconds: 1e6, typingPer10Seconds: 1e6, customEventsPer10Seconds: 1e6 };
    await using failing = await startGatewayServer(world, { config: { recheckMs: 1_000, staleMs }, limits, clock, membership: breaking });
    const id = await world.conversation(['b5-ann', 'b5-bob']);
    const [ann, bob] = await Promise.all([failing.connect('b5-ann'), failing.connect('b5-bob')]);
    expect(await ann.call('watch', { conversationIds: [id] })).toMatchObject({ ok: false, retryable: true });
    expect(await ann.call('presence.watch', { userIds: ['b5-bob'] })).toMatchObject({ ok: false, retryable: true });
    broken = false;
    for (const device of [ann, bob]) expect(await device.call('watch', { conversationIds: [id] })).toMatchObject({ ok: true });
    await waitFor('it to pass', async () => (await hears(ann, bob, id)) === 2);
    expect(await ann.call('presence.watch', { userIds: ['b5-bob'] })).toMatchObject({ ok: true });
    broken = true;
    clock.advance(staleMs + 1);
    await waitFor('silence', async () => (await hears(ann, bob, id)) === 0);
  });

  it('shows each to the other as offline, tells a watcher once, and shows the truth again when it ends', async () => {
    const [ann, bob] = await Promise.all([server.connect('b6-ann'), server.connect('b6-bob')]);
    for (const [device, other] of [
      [ann, 'b6-bob'],
      [bob, 'b6-ann'],
    ] as const) {
      expect(await device.call('presence.watch', { userIds: [other] })).toMatchObject({ presence: [{ status: 'online' }] });
    }
    await world.block('b6-ann', 'b6-bob');
    await news('b6-ann', 'b6-bob');
    await waitFor('offline', () => ann.presences.length === 1 && bob.presences.length === 1);
    expect([...ann.presences, ...bob.presences]).toEqual([
      { userId: 'b6-bob', status: 'offline' },
      { userId: 'b6-ann', status: 'offline' },
    ]);
    await bob.call('presence.set', { status: 'away' });
    await settle([ann, bob]);
    expect(ann.presences).toHaveLength(1);
    expect(await ann.call('presence.watch', { userIds: ['b6-bob'] })).toEqual({
      ok: true,
      presence: [{ userId: 'b6-bob', status: 'offline' }],
    });
    await world.block('b6-ann', 'b6-bob', false);
    await news('b6-ann', 'b6-bob');
    await waitFor('the truth', () => ann.presences.at(-1)?.status === 'away' && bob.presences.at(-1)?.status === 'online');
    await bob.call('presence.set', { status: 'online' });
    await waitFor('changes', () => ann.presences.at(-1)?.status === 'online');
  });

  it('that is set while a device is away is known to it when it resumes', async () => {
    const [before] = await Promise.all([server.connect('b8-ann'), server.connect('b8-bob')]);
    expect(await before.call('presence.watch', { userIds: ['b8-bob'] })).toMatchObject({ presence: [{ status: 'online' }] });
    before.cut();
    await world.block('b8-bob', 'b8-ann');
    await news('b8-ann', 'b8-bob');
    const ann = await server.connect('b8-ann', { sessionId: before.welcome?.sessionId });
    expect(ann.welcome?.resumed).toBe(true);
    await waitFor('offline', () => ann.presences.at(-1)?.status === 'offline');
  });

  it('costs nobody else a comparison per event: the reads do not grow with what is said', async () => {
    let asked = 0;
    const counted = (store: MembershipSource): MembershipSource => ({
      ...store,
      relations: (users) => {
        asked += users.length;
        return store.relations(users);
      },
    });
    await using quiet = await startGatewayServer(world, { membership: counted });
    const { id, devices } = await watchers(['b7-ann', 'b7-bob'], quiet);
    const before = asked;
    for (let i = 0; i < 5; i++) await hears(present(devices[0]), present(devices[1]), id);
    expect([before, asked]).toEqual([2, 2]);
  });
});
