import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { type Device, Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let target: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  target = await startGatewayServer(world);
});
afterAll(async () => {
  await target?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const urlOf = ({ port }: GatewayServer) => `http://127.0.0.1:${port}`;
const told = (device: Device) => device.controls.find(({ type }) => type === 'reconnect');
const toTarget = { pickTarget: () => urlOf(target) };

describe('drain with somewhere to go', () => {
  it('tells every socket where and when to move, serves it until then, and is over when all have moved', async () => {
    const announced: string[] = [];
    const server = await startGatewayServer(world, {
      bus: target.bus,
      config: { drainDeadlineMs: 20_000, drainRetryMs: 400 },
      deps: {
        pickTarget: ({ userId }) => (userId === 'd-7' ? undefined : urlOf(target)),
        onDraining: () => void announced.push('draining'),
      },
    });
    const devices = await Promise.all(Array.from({ length: 20 }, (_, i) => server.connect(`d-${i}`)));
    const began = performance.now();
    const draining = server.gateway[Symbol.asyncDispose]();
    await waitFor('all to be told', () => devices.every((device) => told(device) !== undefined));
    expect(announced).toEqual(['draining']);
    for (const [i, device] of devices.entries()) {
      const control = told(device);
      expect(control).toMatchObject({ type: 'reconnect', reason: 'draining', retryAfterMs: expect.any(Number) });
      expect(control?.retryAfterMs).toBeLessThanOrEqual(400);
      expect(control?.target).toBe(i === 7 ? undefined : urlOf(target));
      expect(device.closedAt).toBeUndefined();
    }
    expect(new Set(devices.map((device) => told(device)?.retryAfterMs)).size).toBeGreaterThan(10);
    await server.publishToUser('d-3', { kind: 'key', log: 'c/drain', seq: 5 });
    await waitFor('a key meanwhile', () => devices[3]?.heard('c/drain') === 5);
    const refused: unknown = await server.connect('d-late').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
    for (const [i, device] of devices.entries()) {
      await target.connect(`d-${i}`);
      device.close();
    }
    await draining;
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(devices.flatMap(({ controls }) => controls).filter(({ type }) => type === 'disconnect')).toEqual([]);
    await server[Symbol.asyncDispose]();
  });

  it('disconnects at its deadline who has not moved', async () => {
    const server = await startGatewayServer(world, { config: { drainDeadlineMs: 600, drainRetryMs: 100 }, deps: toTarget });
    const [stays, moves] = [await server.connect('stays'), await server.connect('moves')];
    const began = performance.now();
    const draining = server.gateway[Symbol.asyncDispose]();
    await waitFor('both to be told', () => told(stays) !== undefined && told(moves) !== undefined);
    moves.close();
    const control = await stays.disconnected();
    expect(performance.now() - began).toBeGreaterThan(500);
    expect(control).toMatchObject({ code: 3000, reason: 'draining', target: urlOf(target), retryAfterMs: expect.any(Number) });
    await draining;
    await server[Symbol.asyncDispose]();
  });

  it('tells them at the rate it is given, and faster only where the time would not do', async () => {
    const spreadOf = async (drainPerSecond: number, drainSpreadMs: number) => {
      const config = { drainPerSecond, drainSpreadMs, drainDeadlineMs: 100 };
      const clock = new ManualClock(Date.now());
      const server = await startGatewayServer(world, { config, clock, deps: toTarget });
      const devices = await Promise.all(Array.from({ length: 20 }, (_, i) => server.connect(`p-${i}`)));
      const times: number[] = [];
      for (const { socket } of devices) socket.once('control', () => times.push(clock.now()));
      let drained = false;
      const draining = server.gateway[Symbol.asyncDispose]().then(() => {
        drained = true;
      });
      await waitFor('the drain', () => {
        clock.advance(50);
        return drained;
      });
      await draining;
      await waitFor('all to be told', () => times.length === 20);
      await server[Symbol.asyncDispose]();
      return Math.max(...times) - Math.min(...times);
    };
    expect(await spreadOf(20, 60_000)).toBeGreaterThan(700);
    expect(await spreadOf(20, 100)).toBeLessThan(700);
  });

  it('goes on when its announcement fails or takes too long', async () => {
    for (const onDraining of [() => Promise.reject(new Error('no directory')), () => new Promise<void>(() => undefined)]) {
      const server = await startGatewayServer(world, { deps: { onDraining } });
      const device = await server.connect('unannounced');
      const disposed = server.gateway[Symbol.asyncDispose]();
      expect(await device.disconnected()).toMatchObject({ code: 3000 });
      await disposed;
      await server[Symbol.asyncDispose]();
    }
  });
});
