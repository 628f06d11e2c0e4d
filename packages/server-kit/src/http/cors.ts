import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OriginPolicy } from './origin-policy.ts';

const exposed = 'RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id';
const methods = 'GET, POST, PUT, PATCH, DELETE';
const headers = 'Authorization, Content-Type, X-Request-Id, Traceparent';
const preflightSeconds = '7200';

/**
 * CORS from the origin policy. Returns true when the request was a preflight and is answered. An origin that is not allowed gets no headers:
 * its browser withholds the answer. Credentials are never allowed: tokens travel in a header that the page sets.
 */
export function answerCors(req: IncomingMessage, res: ServerResponse, origin: string, policy: OriginPolicy): boolean {
  res.setHeader('Vary', 'Origin');
  const allowed = policy.allows(origin, req.headers.host);
  if (allowed) {
    res.setHeader('Access-Control-Allow-Origin', origin);
    res.setHeader('Access-Control-Expose-Headers', exposed);
  }
  if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return false;
  if (allowed) {
    res.setHeader('Access-Control-Allow-Methods', methods);
    res.setHeader('Access-Control-Allow-Headers', headers);
    res.setHeader('Access-Control-Max-Age', preflightSeconds);
  }
  res.writeHead(204);
  res.end();
  return true;
}
