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

describe('token expiry', () => {
  it('is announced, and ends the connection', async () => {
    const clock = new ManualClock(Date.now());
    await using server = await startGatewayServer(world, { clock });
    const device = await server.connect('ann', { token: server.token('ann', { ttlSeconds: 60 }) });
    clock.advance(40_000);
    await waitFor('the warning', () => device.controls.some((control) => control.type === 'token_expiring'));
    await device.settled();
    expect(device.closedAt).toBeUndefined();
    clock.advance(60_000);
    expect(await device.disconnected()).toMatchObject({ type: 'disconnect', code: 3500, reason: 'token_expired' });
  });

  it('moves with reauth', async () => {
    const clock = new ManualClock(Date.now());
    await using server = await startGatewayServer(world, { clock });
    const device = await server.connect('ann', { token: server.token('ann', { ttlSeconds: 60 }) });
    const answer = await device.call('reauth', { token: server.token('ann', { ttlSeconds: 600 }) });
    expect(answer).toMatchObject({ ok: true });
    if (answer.ok) expect(Date.parse(answer.expiresAt) - Date.now()).toBeGreaterThan(590_000);
    const other = await server.connect('bob', { token: server.token('bob', { ttlSeconds: 70 }) });
    clock.advance(100_000);
    await other.disconnected();
    expect(device.closedAt).toBeUndefined();
    expect(device.controls).toEqual([]);
  });

  it('cannot be moved with the token of another user or app, nor with one that is none', async () => {
    const device = await server.connect('ann');
    for (const token of [server.token('bob'), server.token('ann', { app: world.otherApp }), 'nonsense']) {
      expect(await device.call('reauth', { token })).toEqual({ ok: false, code: 'token_invalid', retryable: false });
    }
  });
});
