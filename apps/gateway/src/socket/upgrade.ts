import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { NudgeError, type OriginPolicy, toProblem } from '@nudge/server-kit';
import { DEFAULT_NETWORK, type Network, networkSchema, SOCKET_PATH } from '@nudge/types';

export interface UpgradePolicy {
  readonly origins: OriginPolicy;
  /** Whether there is no room even for a refusal over the socket. */
  readonly refuse: () => NudgeError | undefined;
}

/** The heartbeat profile of the socket to be, or why there may be none. Asked before the upgrade, when a refusal costs nothing but an HTTP answer. */
export function judgeUpgrade(request: IncomingMessage, policy: UpgradePolicy): Network | NudgeError {
  const target = request.url ?? '';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path !== SOCKET_PATH && path !== `${SOCKET_PATH}/`)
    return new NudgeError('not_found', {
      detail: `sockets are at ${SOCKET_PATH}`,
    });
  if (request.method !== 'GET') return new NudgeError('method_not_allowed');
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  if (query.get('EIO') !== '4' || query.get('transport') !== 'websocket' || query.has('sid')) {
    return new NudgeError('invalid_request', {
      detail: 'engine.io protocol 4 over the transport websocket only: EIO=4&transport=websocket',
    });
  }
  const profile = networkSchema.safeParse(query.get('hb') ?? DEFAULT_NETWORK);
  if (!profile.success) {
    return new NudgeError('invalid_request', {
      detail: `hb must be one of ${networkSchema.options.join(', ')}`,
    });
  }
  const { origin, host } = request.headers;
  if (!policy.origins.allows(origin, host)) return new NudgeError('origin_forbidden');
  return policy.refuse() ?? profile.data;
}

/** Answers an upgrade request over HTTP and closes. */
export function refuseUpgrade(socket: Duplex, error: NudgeError): void {
  const body = JSON.stringify(toProblem(error, randomUUID()));
  const head = [
    `HTTP/1.1 ${error.status} ${error.code}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.retryAfterMs === undefined ? [] : [`Retry-After: ${Math.ceil(error.retryAfterMs / 1_000)}`]),
  ];
  socket.once('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
