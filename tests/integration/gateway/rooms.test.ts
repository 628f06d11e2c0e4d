import type { MembershipSource } from '@nudge/gateway';
import { connectRedis, MemoryBus, MemorySessionRegistry, RedisBus, type RedisTimings } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis, startRedisCluster } from '../../support/redis.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Device } from './support/device.ts';
import {
  createGatewayWorld,
  type GatewayServer,
  type GatewayServerOptions,
  type GatewayWorld,
  startGatewayServer,
} from './support/gateway-server.ts';

let world: GatewayWorld;
let redis: RedisServer;
beforeAll(async () => {
  [world, redis] = await Promise.all([createGatewayWorld(), startRedis()]);
});
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

interface Pair extends AsyncDisposable {
  readonly here: GatewayServer;
  readonly there: GatewayServer;
}

/** A machine under load is no reason to connect anew: what is on its way meanwhile is lost, as it may be. */
const patient: Partial<RedisTimings> = { commandMs: 20_000, connectMs: 20_000, canaryDeadlineMs: 60_000, startMs: 20_000 };

/** Two gateways whose ephemeral events meet in Redis, each with connections of its own. Keys and the registry they share in memory. */
async function pair(url: string, there: GatewayServerOptions = {}, timings = patient): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const bus = stack.use(new MemoryBus());
  const registry = stack.use(new MemorySessionRegistry());
  const start = async (options: GatewayServerOptions = {}) => {
    const connection = stack.use(await connectRedis({ url, timings }));
    const ephemeral = stack.use(await RedisBus.open({ connection, prefix: 'nudge:e:', maxUnsent: 0 }));
    return stack.use(await startGatewayServer(world, { bus, registry, deps: { ephemeral }, ...options }));
  };
  const [one, two] = [await start(), await start(there)];
  const opened = stack.move();
  return { here: one, there: two, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

/** Says something until it is heard on the other side: what passes between gateways is at most once. */
async function crosses(from: Device, to: Device, id: string): Promise<void> {
  const before = to.events.length;
  await waitFor(
    'an event to cross',
    () => {
      from.event(id, 'x');
      return to.events.length > before;
    },
    { intervalMs: 200, timeoutMs: 20_000 },
  );
}

async function watching(server: GatewayServer, user: string, id: string, deviceId = 'd1'): Promise<Device> {
  const device = await server.connect(user, { deviceId });
  expect(await device.call('watch', { conversationIds: [id] })).toMatchObject({ ok: true, refused: {} });
  return device;
}

describe('rooms over several gateways', () => {
  it('carry typing and events once each to who watches there, not to other devices of the typist, nor across a block', async () => {
    await using gateways = await pair(redis.url);
    const { here, there } = gateways;
    const id = await world.conversation(['r1-ann', 'r1-bob', 'r1-cem']);
    await world.block('r1-cem', 'r1-ann');
    const ann = await watching(here, 'r1-ann', id, '1');
    const ann2 = await watching(there, 'r1-ann', id, '2');
    const bob = await watching(there, 'r1-bob', id);
    const cem = await watching(there, 'r1-cem', id);
    const idle = await there.connect('r1-bob', { deviceId: 'idle' });
    await crosses(bob, ann, id);
    // One after the other: what finds a socket not writable is dropped.
    for (const device of [bob, ann2]) await device.settled();
    ann.typing(id, true);
    await waitFor('typing', () => bob.typings.length === 1);
    await bob.settled();
    ann.event(id, 'canary-of-the-rooms', { at: 1 });
    await waitFor('the event', () => bob.events.some(({ name }) => name === 'canary-of-the-rooms'));
    await bob.settled();
    ann.typing(id, false);
    await waitFor('its end', () => bob.typings.length === 2);
    for (const device of [ann2, bob, cem, idle]) await device.settled();
    expect(bob.typings.map(({ active }) => active)).toEqual([true, false]);
    expect(bob.events.filter(({ name }) => name === 'canary-of-the-rooms')).toHaveLength(1);
    expect(ann2.typings).toEqual([]);
    // Another device of the sender hears its custom events, as on one gateway.
    expect(ann2.events.some(({ name }) => name === 'canary-of-the-rooms')).toBe(true);
    expect([cem.typings, cem.events.filter(({ userId }) => userId === 'r1-ann')]).toEqual([[], []]);
    expect([idle.typings, idle.events]).toEqual([[], []]);
    expect(await redis.command('KEYS', '*')).toEqual([]);
  });

  it('pass on only what a gateway says to that room: nothing for others, no orders', async () => {
    await using gateways = await pair(redis.url);
    const { here, there } = gateways;
    const [id, other] = [await world.conversation(['r4-ann', 'r4-bob']), await world.conversation(['r4-cem', 'r4-dan'])];
    const ann = await watching(here, 'r4-ann', id);
    const bob = await watching(there, 'r4-bob', id);
    const cem = await watching(here, 'r4-cem', other);
    await crosses(bob, ann, id);
    const [room, otherRoom] = [`one/c/${id}`, `one/c/${other}`];
    const event = { conversationId: id, userId: 'r4-bob', name: 'forged', payload: {} };
    const message = (type: number, data: object) => JSON.stringify({ uid: 'x', nsp: '/', type, data });
    const say = (rooms: string[], data: unknown[] = ['event', event], flags: object = { volatile: true }) =>
      message(3, { packet: { type: 2, data }, opts: { rooms, except: [], flags } });
    const everybody = { rooms: [], except: [], flags: {} };
    const forged = [
      say([otherRoom]),
      say([]),
      say([room, otherRoom]),
      say([room], ['control', { type: 'resync' }]),
      say([room], ['event', { ...event, extra: 1 }]),
      say([room], ['event', event], {}),
      message(4, { rooms: [otherRoom], opts: everybody }),
      message(5, { rooms: [room], opts: everybody }),
      message(6, { close: true, opts: everybody }),
      message(8, { packet: ['x'] }),
    ];
    const spoken = (text: string) => redis.command('SPUBLISH', `nudge:e:rooms#/#${room}#`, `p${text}`);
    for (const text of forged) expect(await spoken(text)).toBe(2);
    // The control: what a gateway would say is heard, and after all that came before.
    await waitFor('the control', async () => {
      await spoken(say([room], ['event', { ...event, name: 'control' }]));
      return [ann, bob].every((device) => device.events.some(({ name }) => name === 'control'));
    });
    await crosses(bob, ann, id);
    for (const device of [ann, bob, cem]) await device.settled();
    expect([ann, bob, cem].flatMap((device) => device.events.filter(({ name }) => name === 'forged'))).toEqual([]);
    expect(cem.events).toEqual([]);
  });

  it('carry presence to who watches a user from elsewhere, and not across a block', async () => {
    await using gateways = await pair(redis.url, { config: { presenceGraceMs: 0 } });
    const { here, there } = gateways;
    await world.block('r2-cem', 'r2-bob');
    const ann = await here.connect('r2-ann');
    const cem = await here.connect('r2-cem');
    for (const device of [ann, cem]) await device.call('presence.watch', { userIds: ['r2-bob', 'r2-dan'] });
    await waitFor('presence to cross', async () => {
      const dan = await there.connect('r2-dan', { deviceId: crypto.randomUUID() });
      await dan.settled();
      dan.close();
      await waitFor('it', () => cem.presences.some(({ userId }) => userId === 'r2-dan'), { timeoutMs: 1_000 });
      return true;
    });
    const bob = await there.connect('r2-bob');
    await waitFor('bob online', () => ann.presences.some(({ userId, status }) => userId === 'r2-bob' && status === 'online'));
    bob.close();
    await waitFor('bob offline', () => ann.presences.some(({ userId, status }) => userId === 'r2-bob' && status === 'offline'));
    await cem.settled();
    expect(cem.presences.filter(({ userId }) => userId === 'r2-bob')).toEqual([]);
  });

  it('pass nothing on while the gateway that hears cannot confirm who its members are', async () => {
    let fails = false;
    let looks = 0;
    const failing = (store: MembershipSource): MembershipSource => ({
      ...store,
      async versions(ids) {
        if (fails) throw new Error('no primary');
        const versions = await store.versions(ids);
        looks += 1;
        return versions;
      },
    });
    const [recheckMs, staleMs] = [1_000, 20_000];
    const clock = new ManualClock(Date.now());
    await using gateways = await pair(redis.url, { config: { recheckMs, staleMs }, clock, membership: failing });
    const { here, there } = gateways;
    const id = await world.conversation(['r3-ann', 'r3-bob']);
    const ann = await watching(here, 'r3-ann', id);
    const bob = await watching(there, 'r3-bob', id);
    await crosses(ann, bob, id);
    fails = true;
    clock.advance(staleMs + 1);
    const heard = () => there.metric('nudge_gateway_packets_heard_total');
    const sent = () => here.metric('nudge_gateway_packets_sent_total');
    await waitFor(
      'packets that are sent and not passed on',
      async () => {
        const [heardBefore, sentBefore] = [await heard(), await sent()];
        ann.typing(id, true);
        await waitFor('it to be sent', async () => (await sent()) > sentBefore, { timeoutMs: 1_000 });
        await bob.settled();
        return (await heard()) === heardBefore;
      },
      { intervalMs: 1_100 },
    );
    fails = false;
    looks = 0;
    await waitFor('a comparison', () => {
      clock.advance(recheckMs);
      return looks > 0;
    });
    await crosses(ann, bob, id);
  });

  it('reach over a Cluster', async () => {
    await using cluster = await startRedisCluster();
    await using gateways = await pair(cluster.url);
    const { here, there } = gateways;
    for (const n of [1, 2, 3, 4]) {
      const id = await world.conversation([`r4-ann${n}`, `r4-bob${n}`]);
      await crosses(await watching(here, `r4-ann${n}`, id), await watching(there, `r4-bob${n}`, id), id);
    }
  });
});

describe('without Redis', () => {
  const short = { commandMs: 3_000, retryMaxMs: 200, canaryEveryMs: 200, canaryDeadlineMs: 800 };

  it.each([
    ['killed', (server: RedisServer) => server.signal('SIGKILL'), (server: RedisServer) => server.restart()],
    ['stopped', (server: RedisServer) => server.signal('SIGSTOP'), (server: RedisServer) => server.signal('SIGCONT')],
  ] as const)(
    '%s, what is local goes on at once, nothing piles up, and the rest comes back by itself',
    async (how, lose, bringBack) => {
      await using own = await startRedis();
      await using gateways = await pair(own.url, {}, short);
      const { here, there } = gateways;
      const users = [`${how}-ann`, `${how}-bob`, `${how}-cem`];
      const id = await world.conversation(users);
      const [ann, bob, cem] = [
        await watching(here, users[0] ?? '', id),
        await watching(here, users[1] ?? '', id),
        await watching(there, users[2] ?? '', id),
      ];
      await crosses(ann, cem, id);
      await lose(own);
      const before = bob.typings.length;
      for (let i = 0; i < 3; i++) {
        await bob.settled();
        const since = performance.now();
        const typed = bob.typings.length;
        ann.typing(id, true);
        await waitFor('typing on the same gateway', () => bob.typings.length > typed, { intervalMs: 2 });
        // It waits for nobody: an answer of Redis would come after its deadline or never.
        expect(performance.now() - since).toBeLessThan(short.commandMs - 500);
      }
      expect(bob.typings.length).toBe(before + 3);
      // A room that comes into being meanwhile is heard once that is possible.
      const late = await world.conversation(users);
      const [lateAnn, lateCem] = [await watching(here, users[0] ?? '', late, 'late'), await watching(there, users[2] ?? '', late, 'late')];
      await waitFor('packets to be dropped', async () => {
        ann.typing(id, true);
        return (await here.metric('nudge_gateway_packets_dropped_total')) > 0;
      });
      await bringBack(own);
      await crosses(ann, cem, id);
      await crosses(lateAnn, lateCem, late);
      await crosses(lateCem, lateAnn, late);
    },
    60_000,
  );
});
