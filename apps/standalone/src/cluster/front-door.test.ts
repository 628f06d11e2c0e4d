import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type FrontDoor, openFrontDoor } from './front-door.ts';

/** A process that tells what it was asked. */
class Echo {
  readonly name: string;
  readonly server: Server;
  serving = true;
  port = 0;

  constructor(name: string) {
    this.name = name;
    this.server = createServer((req, res) => {
      if (req.url === '/v1/dies') req.socket.destroy();
      else res.end(JSON.stringify({ name, method: req.method, url: req.url, from: req.headers['x-forwarded-for'] }));
    });
    this.server.on('upgrade', (req, socket, head) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${name} ${req.headers['x-forwarded-for']} `,
      );
      socket.write(head);
      socket.pipe(socket);
    });
  }

  async start(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }
}

const [gateway, api, otherApi, sync] = [new Echo('gateway'), new Echo('api'), new Echo('other api'), new Echo('sync')];
const all = [gateway, api, otherApi, sync];
let door: FrontDoor;

beforeAll(async () => {
  await Promise.all(all.map((echo) => echo.start()));
  door = await openFrontDoor({ host: '127.0.0.1', port: 0, gateways: [gateway], apis: [api, otherApi], syncs: [sync] });
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  for (const { server } of all) {
    server.close();
    server.closeAllConnections();
  }
});
beforeEach(() => {
  for (const echo of all) echo.serving = true;
});

const ask = async (path: string, init?: RequestInit) => (await (await fetch(door.url + path, init)).json()) as Record<string, unknown>;

it('passes pulls to the pull side and everything else to the APIs in turn', async () => {
  for (const path of ['/v1/sync', '/v1/sync/conversations/1/entries?after=3', '/v1/me/unread']) {
    expect(await ask(path)).toMatchObject({ name: 'sync', url: path });
  }
  const names = [await ask('/v1/me'), await ask('/v1/syncs'), await ask('/docs'), await ask('/v1/me/unreads')].map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(['api', 'other api']));
  expect(await ask('/v1/conversations', { method: 'POST', body: '{}' })).toMatchObject({ method: 'POST' });
});

it('says whom it asks for, after what it was told itself', async () => {
  expect(await ask('/v1/me')).toMatchObject({ from: '127.0.0.1' });
  expect(await ask('/v1/me', { headers: { 'x-forwarded-for': '203.0.113.7' } })).toMatchObject({ from: '203.0.113.7, 127.0.0.1' });
});

it('leaves out those that do not serve, and answers a retryable problem when none does', async () => {
  otherApi.serving = false;
  for (let n = 0; n < 4; n += 1) expect(await ask('/v1/me')).toMatchObject({ name: 'api' });
  api.serving = false;
  const refused = await fetch(`${door.url}/v1/me`);
  expect([refused.status, refused.headers.get('content-type'), refused.headers.get('retry-after')]).toEqual([
    503,
    'application/problem+json',
    '1',
  ]);
  expect(await refused.json()).toMatchObject({ code: 'overloaded', retryable: true, requestId: refused.headers.get('x-request-id') });
});

it('answers the same when the process dies over a request', async () => {
  expect(await ask('/v1/dies')).toMatchObject({ code: 'overloaded', retryable: true });
});

it('joins sockets with a gateway, and with nobody else', async () => {
  expect(await upgrade('/socket.io/?EIO=4', 'hello')).toContain('101 Switching Protocols');
  expect(await upgrade('/socket.io/?EIO=4', 'hello')).toContain('gateway 127.0.0.1 hello');
  expect(await upgrade('/v1/me', '')).toContain('503');
  gateway.serving = false;
  expect(await upgrade('/socket.io/?EIO=4', '')).toContain('503');
});

/** Upgrades, sends a word, and answers all that came until it was back. */
async function upgrade(path: string, word: string): Promise<string> {
  const { hostname, port } = new URL(door.url);
  const socket = createConnection({ host: hostname, port: Number(port) });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${word}`);
  let text = '';
  for await (const chunk of socket) {
    text += String(chunk);
    if (word !== '' && text.endsWith(word)) break;
  }
  return text;
}
