import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server as Engine } from 'engine.io';
import { Server, type Socket } from 'socket.io';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectionOf, type EngineConnection } from './engine-internals.ts';

it('engine.io, socket.io and ws have what the gateway uses beyond their types', async () => {
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const engine = new Engine({ transports: ['websocket'] });
  const io = new Server({ transports: ['websocket'] });
  const arrived = new Promise<EngineConnection>((resolve) => engine.on('connection', (conn: unknown) => resolve(connectionOf(conn))));
  io.bind(engine);
  const connected = new Promise<Socket>((resolve) => io.on('connection', resolve));
  http.on('upgrade', (request, socket, head) => engine.handleUpgrade(request as Parameters<Engine['handleUpgrade']>[0], socket, head));
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/socket.io/?EIO=4&transport=websocket`);
  const frames: string[] = [];
  const heard = new Promise<void>((resolve) =>
    client.on('message', (data: Buffer) => {
      frames.push(data.toString());
      if (data.toString() === '4encoded') resolve();
    }),
  );
  await once(client, 'open');
  const conn = await arrived;
  expect(conn.readyState).toBe('open');
  expect(conn.server).toBe(engine);
  expect(conn.request).toBeTypeOf('object');
  expect(conn.writeBuffer).toEqual([]);
  expect(conn.transport.writable).toBeTypeOf('boolean');
  expect(conn.transport.socket.terminate).toBeTypeOf('function');
  expect(conn.transport.socket.pong).toBeTypeOf('function');
  expect(conn.transport.socket._socket.cork).toBeTypeOf('function');
  expect(conn.transport.socket.bufferedAmount).toBeTypeOf('number');
  client.send('40{}');
  const socket = await connected;
  expect(connectionOf(socket.conn)).toBe(conn);
  expect(socket.handshake.auth).toEqual({});
  expect((socket.client as unknown as { writeToEngine: unknown }).writeToEngine).toBeTypeOf('function');
  const text = Buffer.from('4encoded');
  const ready = new Promise<void>((resolve) => conn.transport.once('ready', resolve));
  conn.transport.send([{ type: 'message', options: { wsPreEncodedFrame: [Buffer.concat([Buffer.from([0x81, text.length]), text])] } }]);
  expect(conn.transport.writable).toBe(false);
  await ready;
  await heard;
  expect(frames.at(-1)).toBe('4encoded');
  const packet = new Promise<string>((resolve) => conn.on('packet', ({ type }) => resolve(type)));
  client.send('3');
  expect(await packet).toBe('pong');
  const closed = new Promise<string>((resolve) => conn.on('close', resolve));
  conn.transport.socket.terminate();
  await closed;
  expect(conn.readyState).toBe('closed');
  await io.close();
  http.close();
});
