import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createTcpProxy } from './tcp-proxy.ts';
import { waitFor } from './wait-for.ts';

/** A server that sends everything back. */
async function createEcho() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A client that remembers what it got and how it ended. */
async function connect(port: number) {
  const socket = createConnection({ port, host: '127.0.0.1' });
  const seen = { text: '', error: '', closed: false };
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    seen.text += text;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? '';
  });
  socket.on('close', () => {
    seen.closed = true;
  });
  await once(socket, 'connect');
  return { socket, seen, [Symbol.dispose]: () => void socket.destroy() };
}

test('passes bytes both ways and counts them', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  using client = await connect(proxy.port);
  client.socket.write('hello');
  await waitFor('the echo', () => client.seen.text === 'hello');
  expect(proxy.stats).toMatchObject({ accepted: 1, open: 1, bytes: { toServer: 5, toClient: 5 } });
  client.socket.end();
  await waitFor('the end to reach both sides', () => client.seen.closed && proxy.stats.open === 0);
  expect(client.seen.error).toBe('');
});

test('delay holds every chunk back and keeps the order', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  using client = await connect(proxy.port);
  proxy.delay(60, 'toServer');
  const start = performance.now();
  client.socket.write('a');
  client.socket.write('b');
  await waitFor('both', () => client.seen.text === 'ab');
  expect(performance.now() - start).toBeGreaterThanOrEqual(55);
  expect(proxy.stats.fired.delay).toBeGreaterThanOrEqual(1);
});

test('stall lets nothing pass until it is healed', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  using client = await connect(proxy.port);
  proxy.stall('toClient');
  client.socket.write('held');
  await waitFor('the stall to fire', () => proxy.stats.fired.stall === 1);
  expect(proxy.stats.bytes).toEqual({ toServer: 4, toClient: 0 });
  expect(client.seen.text).toBe('');
  proxy.heal();
  await waitFor('what was held', () => client.seen.text === 'held');
});

test('reset ends open connections with RST, refuse the new ones', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  using client = await connect(proxy.port);
  client.socket.write('x');
  await waitFor('the echo', () => client.seen.text === 'x');
  expect(proxy.reset()).toBe(1);
  await waitFor('the reset', () => client.seen.closed);
  expect(client.seen.error).toBe('ECONNRESET');

  proxy.refuse();
  const refused = createConnection({ port: proxy.port, host: '127.0.0.1' });
  const [error] = await once(refused, 'error').catch((reason: unknown) => [reason]);
  await waitFor('the refusal', () => proxy.stats.fired.refuse === 1);
  expect(error ?? refused.destroyed).toBeTruthy();

  proxy.heal();
  using again = await connect(proxy.port);
  again.socket.write('y');
  await waitFor('the echo', () => again.seen.text === 'y');
  expect(proxy.stats.fired).toMatchObject({ reset: 1, refuse: 1 });
});

test('cutAfter lets exactly so many bytes through', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  using client = await connect(proxy.port);
  client.socket.write('one');
  await waitFor('the echo', () => client.seen.text === 'one');
  proxy.cutAfter(2, 'toServer');
  client.socket.write('frame');
  await waitFor('the cut', () => client.seen.closed);
  expect(proxy.stats.bytes.toServer).toBe(5);
  expect(proxy.stats.fired.cut).toBe(1);
  expect(client.seen.error).toBe('ECONNRESET');
});

test('through puts the proxy into a URL and leaves the rest', async () => {
  await using echo = await createEcho();
  await using proxy = await createTcpProxy(echo);
  expect(proxy.through('postgresql://user:pw@localhost:5432/db?x=1')).toBe(`postgresql://user:pw@127.0.0.1:${proxy.port}/db?x=1`);
});
