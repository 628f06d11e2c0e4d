import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { NudgeError, toProblem } from '@nudge/server-kit';
import { SOCKET_PATH } from '@nudge/types';

/** A process that requests may be passed to. */
export interface Backend {
  readonly port: number;
  readonly serving: boolean;
}

export interface FrontDoorOptions {
  readonly host: string;
  readonly port: number;
  readonly gateways: readonly Backend[];
  readonly apis: readonly Backend[];
  readonly syncs: readonly Backend[];
}

/** One address for all: what a balancer does in production, on this machine. */
export interface FrontDoor extends AsyncDisposable {
  readonly url: string;
}

/** Paths that the pull side answers; sockets go to gateways and everything else to the API. */
const pulls = /^\/v1\/(sync|me\/unread)(?=[/?]|$)/;

/**
 * Passes requests on to the processes that serve, each role in turn. Answers 503 where none does and where a connection is lost before the
 * answer: whether a send was stored then shows when it is sent again.
 */
export async function openFrontDoor({ host, port, gateways, apis, syncs }: FrontDoorOptions): Promise<FrontDoor> {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  const open = new Set<Duplex>();
  const pick = inTurn();
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 30_000 }, (req, res) => {
    const backend = pick(pulls.test(req.url ?? '') ? syncs : apis);
    if (backend === undefined) refuse(res);
    else passOn(req, res, backend.port, agent);
  });
  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    const backend = (req.url ?? '').startsWith(SOCKET_PATH) ? pick(gateways) : undefined;
    if (backend === undefined) socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\n');
    else joinSockets(req, socket, head, backend.port, open);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const { address, port: given } = server.address() as AddressInfo;
  return {
    url: `http://${address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address}:${given}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

function inTurn(): (backends: readonly Backend[]) => Backend | undefined {
  let turn = 0;
  return (backends) => {
    const serving = backends.filter((backend) => backend.serving);
    turn = (turn + 1) % 1_000_000;
    return serving[turn % serving.length];
  };
}

function passOn(req: IncomingMessage, res: ServerResponse, port: number, agent: Agent): void {
  const { method = 'GET', url = '/', headers } = req;
  const onward = request({
    host: '127.0.0.1',
    port,
    method,
    path: url,
    agent,
    headers: { ...headers, 'x-forwarded-for': cameThrough(req) },
  });
  onward.on('response', (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('error', () => res.destroy());
    answer.pipe(res);
  });
  onward.on('error', () => {
    if (res.headersSent) res.destroy();
    else refuse(res);
  });
  req.on('error', () => onward.destroy());
  res.on('close', () => {
    if (!res.writableFinished) onward.destroy();
  });
  req.pipe(onward);
}

/** The handshake is written again as it came, and then bytes pass both ways. */
function joinSockets(req: IncomingMessage, client: Socket, head: Buffer, port: number, open: Set<Duplex>): void {
  const gateway = createConnection({ host: '127.0.0.1', port, noDelay: true });
  client.setNoDelay(true);
  const lines = [`${req.method} ${req.url} HTTP/1.1`];
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    if (req.rawHeaders[at]?.toLowerCase() !== 'x-forwarded-for') lines.push(`${req.rawHeaders[at]}: ${req.rawHeaders[at + 1]}`);
  }
  gateway.write(`${[...lines, `X-Forwarded-For: ${cameThrough(req)}`].join('\r\n')}\r\n\r\n`);
  gateway.write(head);
  for (const [one, other] of [
    [client, gateway],
    [gateway, client],
  ] as const) {
    open.add(one);
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      open.delete(one);
      other.destroy();
    });
  }
}

function cameThrough(req: IncomingMessage): string {
  const before = req.headers['x-forwarded-for'];
  const from = req.socket.remoteAddress ?? '127.0.0.1';
  return before === undefined ? from : `${String(before)}, ${from}`;
}

function refuse(res: ServerResponse): void {
  const requestId = randomUUID();
  const problem = toProblem(new NudgeError('overloaded', { detail: 'No process serves this now' }), requestId);
  res.writeHead(problem.status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'retry-after': '1',
    'x-request-id': requestId,
  });
  res.end(JSON.stringify(problem));
}
