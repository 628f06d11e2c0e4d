import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGatewayWorld, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await createGatewayWorld();
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

describe('drain', () => {
  it('turns unready, tells every socket to move with a delay of its own, and refuses new ones', async () => {
    const server = await startGatewayServer(world, { config: { drainSpreadMs: 200, drainRetryMs: 2_000 } });
    expect(await server.gateway.ready.check()).toBe(true);
    const devices = await Promise.all(Array.from({ length: 40 }, (_, i) => server.connect(`u${i}`)));
    const began = performance.now();
    const draining = server.gateway[Symbol.asyncDispose]();
    expect(await server.gateway.ready.check()).toBe(false);
    const controls = await Promise.all(devices.map((device) => device.disconnected()));
    await draining;
    expect(performance.now() - began).toBeLessThan(5_000);
    for (const control of controls) expect(control).toMatchObject({ code: 3000, reason: 'draining', retryAfterMs: expect.any(Number) });
    expect(new Set(controls.map((control) => control?.retryAfterMs)).size).toBeGreaterThan(20);
    await server[Symbol.asyncDispose]();
  });

  it('ends within its deadline when a client takes nothing and says nothing', async () => {
    const server = await startGatewayServer(world);
    const raw = await server.raw();
    await raw.handshake(server.token('deaf'));
    raw.tcp.pause();
    const began = performance.now();
    await server.gateway[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
