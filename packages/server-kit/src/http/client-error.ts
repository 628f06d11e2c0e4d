import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '@nudge/types';
import { NudgeError, toProblem } from '../errors.ts';

/** What of node's parser is not simply a request out of form. */
const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** A connection on which something else than HTTP arrived, or nothing in time: a refusal, then the end. */
export function onClientError(error: Error & { code?: string }, socket: Duplex): void {
  // Without a handshake there is nothing to answer in.
  const noHandshake = /^ERR_(SSL|TLS)_/.test(error.code ?? '');
  if (error.code === 'ECONNRESET' || noHandshake || !socket.writable) {
    socket.destroy();
    return;
  }
  // HTTP has a status of its own for a head over its bound, which no registered error has.
  if (error.code === 'HPE_HEADER_OVERFLOW') end(socket, 431, '');
  else refuse(socket, codes[error.code ?? ''] ?? 'invalid_request');
}

/** `CONNECT` asks for a tunnel, which there is none of. */
export function onConnect(_req: IncomingMessage, socket: Duplex): void {
  refuse(socket, 'method_not_allowed');
}

function refuse(socket: Duplex, code: ErrorCode): void {
  const problem = toProblem(new NudgeError(code), randomUUID());
  end(socket, problem.status, JSON.stringify(problem), [
    'Content-Type: application/problem+json',
    'Cache-Control: no-store',
    `X-Request-Id: ${problem.requestId}`,
  ]);
}

function end(socket: Duplex, status: number, body: string, headers: readonly string[] = []): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    ...headers,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
