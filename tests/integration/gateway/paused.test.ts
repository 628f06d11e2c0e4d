import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';
import { pausedClient } from './support/paused-client.ts';

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

describe('a client that does not read', () => {
  it('costs at most 64 KiB, however much is published to it, and ends with a resync', { timeout: 60_000 }, async () => {
    const sockets = 30;
    const child = fork(new URL('./support/paused-server.ts', import.meta.url), [String(sockets)], {
      execArgv: ['--expose-gc', '--conditions=@nudge/source'],
    });
    const answer = async (said?: string) => {
      const next = once(child, 'message', { signal: AbortSignal.timeout(50_000) });
      if (said !== undefined) child.send(said);
      return (await next)[0] as unknown;
    };
    const clients: Socket[] = [];
    try {
      const port = (await answer()) as number;
      const first = await pausedClient(port, 'first');
      clients.push(first);
      first.on('data', () => undefined).resume();
      expect(await answer('first')).toBe('served');
      for (let i = 0; i < sockets; i++) clients.push(await pausedClient(port, `user${i}`));
      const report = (await answer('paused')) as { bytesPerSocket: number; blocked: number };
      // The pause is real: the gateway found every socket unable to take more.
      expect(report.blocked).toBeGreaterThanOrEqual(sockets);
      expect(report.bytesPerSocket).toBeLessThan(64 * 1024);
      for (const client of clients) client.on('data', () => undefined).resume();
      expect(await answer('resumed')).toBe(sockets);
    } finally {
      for (const client of clients) client.destroy();
      child.kill('SIGKILL');
    }
  });

  it('but asks and asks is cut off', async () => {
    const raw = await server.raw();
    await raw.handshake(server.token('eve'));
    raw.tcp.pause();
    const users = JSON.stringify(Array.from({ length: 100 }, (_, i) => `user-with-a-long-name-to-fill-the-answer-${i}`));
    let id = 0;
    await waitFor(
      'the cut',
      async () => {
        for (let i = 0; i < 40; i++) raw.send(`42${id++}["presence.watch",{"userIds":${users}}]`);
        return (await server.metric('nudge_gateway_disconnects_total')) > 0;
      },
      { timeoutMs: 20_000 },
    );
    await waitFor('its end', async () => (await server.metric('nudge_gateway_sockets')) === 0);
  });
});
