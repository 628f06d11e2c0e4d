import type { Heartbeats, Network } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fasterThan } from '../../support/faster-than.ts';
import { startChild } from '../../support/process.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

/** Clients give up too when their server stands still for as long: a machine under load must not make them. */
const heartbeats: Heartbeats = {
  wifi: { profile: 'wifi', intervalMs: 100, timeoutMs: 20_000 },
  mobile: { profile: 'mobile', intervalMs: 300, timeoutMs: 20_000 },
  background: { profile: 'background', intervalMs: 60_000, timeoutMs: 60_000 },
};
const networks = ['wifi', 'mobile', 'background'] as const;

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world, { config: { heartbeats } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('heartbeat profiles', () => {
  it('are chosen by the connection and told in its welcome; wifi where none is named', async () => {
    for (const hb of networks) {
      const device = await server.connect('ann', { deviceId: hb, query: { hb } });
      expect(device.welcome?.heartbeat).toEqual(heartbeats[hb]);
      device.close();
    }
    const device = await server.connect('ann', { deviceId: 'none' });
    expect(device.welcome?.heartbeat).toEqual(heartbeats.wifi);
    device.close();
  });

  it('probe each at its own pace', async () => {
    await waitFor('the sockets before to be gone', async () => (await server.metric('nudge_gateway_sockets')) === 0);
    const pings: Record<Network, number> = { wifi: 0, mobile: 0, background: 0 };
    for (const hb of networks) {
      const device = await server.connect('pacer', { deviceId: hb, query: { hb } });
      device.socket.io.engine.on('ping', () => pings[hb]++);
    }
    await waitFor('pings of the slower', () => pings.mobile >= 3);
    expect(pings.wifi).toBeGreaterThan(pings.mobile);
    expect(pings.background).toBe(0);
    expect(await server.metric('nudge_gateway_sockets')).toBe(3);
  });

  it('end a connection that answers nothing after their interval and timeout, not earlier', async () => {
    const short: Heartbeats = {
      ...heartbeats,
      wifi: { ...heartbeats.wifi, timeoutMs: 400 },
      mobile: { ...heartbeats.mobile, timeoutMs: 900 },
    };
    await using quick = await startGatewayServer(world, { config: { heartbeats: short } });
    for (const hb of ['wifi', 'mobile'] as const) {
      const { intervalMs, timeoutMs } = short[hb];
      // What it sends while its pong is awaited (here the CONNECT, at most) counts as a sign of life once.
      await fasterThan(intervalMs + 2 * timeoutMs + 2_000, async () => {
        const began = performance.now();
        const raw = await quick.raw(`&hb=${hb}`);
        await raw.handshake(quick.token(`silent-${hb}`));
        await waitFor('its end', () => raw.isClosed, { intervalMs: 5 });
        const lasted = performance.now() - began;
        expect(lasted).toBeGreaterThan(intervalMs + timeoutMs - 100);
        expect(raw.frames).toContain('2');
        return lasted;
      });
    }
  });

  it('keep no process alive once their gateway is disposed of, nor a connection', async () => {
    const script = new URL('./support/disposed-server.ts', import.meta.url).pathname;
    await using child = await startChild({ script });
    await child.waitForLine(/^disposed 3 closed 3$/);
    const since = performance.now();
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - since).toBeLessThan(5_000);
  });
});
