import { randomUUID } from 'node:crypto';
import { ManualClock } from '@nudge/server-kit/testing';
import { defaultHeartbeats } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { type Device, Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world, { config: { resyncSpreadMs: 10 } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const detached = (of: GatewayServer) => of.metric('nudge_gateway_sessions_detached');

describe('resume', () => {
  it('brings what was pending and what was not confirmed', async () => {
    const first = await server.connect('ann');
    await server.publishToUser('ann', { kind: 'key', log: 'c/sent', seq: 3 });
    await waitFor('the key', () => first.heard('c/sent') === 3);
    first.cut();
    await waitFor('the detachment', async () => (await detached(server)) === 1);
    await server.publishToUser('ann', { kind: 'key', log: 'c/pending', seq: 7 });
    const back = await server.connect('ann', { sessionId: first.welcome?.sessionId ?? '' });
    expect(back.welcome).toMatchObject({ resumed: true, sessionId: first.welcome?.sessionId });
    await waitFor('both keys', () => back.heard('c/sent') === 3 && back.heard('c/pending') === 7);
    await server.publishToUser('ann', { kind: 'key', log: 'c/sent', seq: 4 });
    await waitFor('the next', () => back.heard('c/sent') === 4);
    back.close();
  });

  it('does not bring what the client is known to have', async () => {
    await using beating = await startGatewayServer(world, {
      config: { heartbeats: { ...defaultHeartbeats, wifi: { profile: 'wifi', intervalMs: 60, timeoutMs: 20_000 } } },
    });
    const first = await beating.connect('ann');
    await beating.publishToUser('ann', { kind: 'key', log: 'c/known', seq: 3 });
    await waitFor('the key', () => first.heard('c/known') === 3);
    let pongs = 0;
    first.socket.io.engine.on('heartbeat', () => pongs++);
    await waitFor('three heartbeats', () => pongs >= 3);
    first.cut();
    await waitFor('the detachment', async () => (await detached(beating)) === 1);
    const back = await beating.connect('ann', { sessionId: first.welcome?.sessionId ?? '' });
    await back.settled();
    expect(back.notifies).toEqual([]);
  });

  it('keeps watches', async () => {
    const id = await world.conversation(['bob', 'cem']);
    const first = await server.connect('bob');
    await first.call('watch', { conversationIds: [id] });
    first.cut();
    const cem = await server.connect('cem');
    await cem.call('watch', { conversationIds: [id] });
    const back = await server.connect('bob', { sessionId: first.welcome?.sessionId ?? '' });
    expect(back.welcome?.resumed).toBe(true);
    cem.typing(id, true);
    await waitFor('typing', () => back.typings.length === 1);
    await server.publishToConversation(id, { kind: 'key', log: `c/${id}`, seq: 9 });
    await waitFor('the key', () => back.heard(`c/${id}`) === 9);
  });

  it('is bound to app, user and device, and to this gateway', async () => {
    const first = await server.connect('dan', { deviceId: 'phone' });
    const sessionId = first.welcome?.sessionId ?? '';
    const attempts = await Promise.all([
      server.connect('dan', { deviceId: 'laptop', sessionId }),
      server.connect('eve', { deviceId: 'phone', sessionId }),
      server.connect('dan', { deviceId: 'phone', sessionId, app: world.otherApp }),
      server.connect('dan', { deviceId: 'phone', sessionId: randomUUID() }),
    ]);
    expect(attempts.map((device) => device.welcome?.resumed)).toEqual([false, false, false, false]);
    expect(first.closedAt).toBeUndefined();
  });

  it('takes over a connection that is only half dead', async () => {
    const first = await server.connect('fay');
    await server.publishToUser('fay', { kind: 'key', log: 'c/half', seq: 2 });
    const back = await server.connect('fay', { sessionId: first.welcome?.sessionId ?? '' });
    expect(back.welcome?.resumed).toBe(true);
    expect(await first.disconnected()).toMatchObject({ code: 3503, reason: 'session_replaced' });
    await waitFor('what the old one may have lost', () => back.heard('c/half') === 2);
    await server.publishToUser('fay', { kind: 'key', log: 'c/half', seq: 3 });
    await waitFor('the next', () => back.heard('c/half') === 3);
  });

  it('is judged like any handshake', async () => {
    const first = await server.connect('gus');
    first.cut();
    const refused = await server
      .connect('gus', { sessionId: first.welcome?.sessionId ?? '', token: 'nonsense' })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
  });

  it('after an interruption of the bus is a resync', async () => {
    const first = await server.connect('hal');
    first.cut();
    await waitFor('the detachment', async () => (await detached(server)) >= 1);
    server.bus.interrupt();
    const back = await server.connect('hal', { sessionId: first.welcome?.sessionId ?? '' });
    expect(back.welcome?.resumed).toBe(true);
    await waitFor('the resync', () => back.resyncs === 1);
  });

  it('is over after the window', async () => {
    const clock = new ManualClock(Date.now());
    await using quick = await startGatewayServer(world, { config: { resumeMs: 1_000, presenceGraceMs: 0 }, clock });
    const first = await quick.connect('ann');
    first.cut();
    await waitFor('the detachment', async () => (await detached(quick)) === 1);
    clock.advance(3_000);
    await waitFor('the end of the window', async () => (await detached(quick)) === 0);
    expect(await quick.metric('nudge_gateway_topics')).toBe(0);
    expect((await quick.connect('ann', { sessionId: first.welcome?.sessionId ?? '' })).welcome?.resumed).toBe(false);
  });

  it('is of those who left last when there are too many', async () => {
    await using small = await startGatewayServer(world, { config: { resumableSessions: 2 } });
    const devices: Device[] = [];
    for (const user of ['u1', 'u2', 'u3']) devices.push(await small.connect(user));
    for (const [i, device] of devices.entries()) {
      device.cut();
      await waitFor('the detachment', async () => (await small.metric('nudge_gateway_sessions_live')) === 2 - i);
    }
    expect(await detached(small)).toBe(2);
    const again = await Promise.all(devices.map((device, i) => small.connect(`u${i + 1}`, { sessionId: device.welcome?.sessionId ?? '' })));
    expect(again.map((device) => device.welcome?.resumed)).toEqual([false, true, true]);
  });
});
