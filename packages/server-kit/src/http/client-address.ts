import type { IncomingMessage } from 'node:http';

/**
 * Address of the client. With `proxies` in front, each having appended the address it saw to X-Forwarded-For, it is the one that the
 * outermost of them saw; what stands before it was written by the client.
 */
export function clientAddress(req: IncomingMessage, proxies: number): string {
  const direct = req.socket.remoteAddress ?? 'unknown';
  const forwarded = req.headers['x-forwarded-for'];
  if (proxies === 0 || typeof forwarded !== 'string') return direct;
  return forwarded.split(',').at(-proxies)?.trim() || direct;
}
