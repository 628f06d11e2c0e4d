import { createClientAddress } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  createGatewayWorld,
  type GatewayServer,
  type GatewayWorld,
  startGatewayServer,
} from '../integration/gateway/support/gateway-server.ts';

const share = 3;
let world: GatewayWorld;
beforeAll(async () => {
  world = await createGatewayWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

function start(proxies: readonly string[]): Promise<GatewayServer> {
  return startGatewayServer(world, {
    limits: { handshakesPerAddressPer10Seconds: share },
    // It stands still: a part of the share comes back with every few seconds.
    clock: new ManualClock(),
    deps: { clientAddress: createClientAddress(proxies) },
  });
}

/** Status of an upgrade that names these addresses as those it came through: 101 when it was let in. */
function upgrade(port: number, forwarded: string | string[]): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
    headers: { 'x-forwarded-for': forwarded },
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
    socket.once('error', reject);
  }).then((status) => {
    socket.on('error', () => undefined).terminate();
    return status as number;
  });
}

async function statuses(port: number, forwarded: readonly (string | string[])[]): Promise<number[]> {
  const answers: number[] = [];
  for (const names of forwarded) answers.push(await upgrade(port, names));
  return answers;
}

/** The first ones fill the share of one client, all others are one too many. */
const asOne = (count: number) => Array.from({ length: count }, (_, at) => (at < share ? 101 : 503));

describe('a client that names other addresses as its own', () => {
  it('is counted as the other end of its connection where no proxy is trusted', async () => {
    await using server = await start([]);
    const forged = ['192.0.2.1', '::1', '127.0.0.1', '192.0.2.2, 192.0.2.3', '', 'unknown', '::ffff:192.0.2.9', '[2001:db8::1]:80'];
    expect(await statuses(server.port, forged)).toEqual(asOne(forged.length));
  });

  it('is counted as the other end of its connection where another proxy is trusted', async () => {
    await using server = await start(['198.51.100.7', '2001:db8::/32']);
    const forged = ['192.0.2.1', '198.51.100.7', '192.0.2.2, 198.51.100.7', '2001:db8::1', '::ffff:198.51.100.7'];
    expect(await statuses(server.port, forged)).toEqual(asOne(forged.length));
  });

  it('is counted as what the last trusted proxy saw, whatever it wrote before that and however that is spelled', async () => {
    await using server = await start(['loopback', '198.51.100.7']);
    const seen = [
      '192.0.2.1',
      '203.0.113.1, 192.0.2.1',
      '203.0.113.2,203.0.113.3 ,  192.0.2.1:4711',
      '198.51.100.7, 127.0.0.1, 192.0.2.1',
      'unknown, ::ffff:192.0.2.1',
      '203.0.113.4, 192.0.2.1, 198.51.100.7',
      ['203.0.113.5', '192.0.2.1, ::ffff:198.51.100.7'],
    ];
    expect(await statuses(server.port, seen)).toEqual(asOne(seen.length));
    expect(await upgrade(server.port, '192.0.2.1, 192.0.2.2')).toBe(101);
  });

  it('has one share of an IPv6 network of 64 bits, however its addresses are spelled', async () => {
    await using server = await start(['loopback']);
    const seen = ['2001:db8:0:1::1', '[2001:DB8:0:1::2]:443', '2001:0db8:0000:0001:ffff:0:0:3', '2001:db8:0:1:0:0:0:4', '2001:db8:0:1::'];
    expect(await statuses(server.port, seen)).toEqual(asOne(seen.length));
    expect(await upgrade(server.port, '2001:db8:0:2::1')).toBe(101);
  });
});
