/** Baseline: the cheapest thing that could be called a chat server. Pushes each body to the group's other sockets, keeps nothing. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

const groups = new Map<string, Set<WebSocket>>();
const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });

sockets.on('connection', (socket, request) => {
  const names = new URL(request.url ?? '/', 'http://localhost').searchParams.get('groups')?.split(',') ?? [];
  for (const name of names) groups.set(name, (groups.get(name) ?? new Set()).add(socket));
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    const { g } = JSON.parse(text) as { g: number };
    for (const other of groups.get(String(g)) ?? []) if (other !== socket) other.send(text);
  });
  socket.on('close', () => {
    for (const name of names) groups.get(name)?.delete(socket);
  });
});

http.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (http.address() as AddressInfo).port });
});
