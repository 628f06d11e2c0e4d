import express from 'express';
import type { DemoSession } from '../demo/demo-session.ts';
import type { BrowserFile } from './browser-modules.ts';

const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Addresses from which a machine speaks to itself. */
const thisMachine = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * The two-pane page at `/`. Its tokens are handed out only to itself on this machine: not to another address,
 * nor to a page of another origin, nor to one that points a name of its own here (DNS rebinding).
 */
export function pageRouter(files: ReadonlyMap<string, BrowserFile>, session: () => DemoSession): express.Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  for (const [path, { contentType, content }] of files) {
    router.get(path, (_request, response) => {
      response.set(
        'Content-Security-Policy',
        "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'; img-src data:",
      );
      response.set('Content-Type', contentType).set('Cache-Control', 'no-cache').send(content);
    });
  }
  router.get('/demo/session.json', (request, response, next) => {
    const { host = '', origin } = request.headers;
    const own = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
    if (!loopback.test(host) || !own || !thisMachine.has(request.socket.remoteAddress ?? '')) {
      next();
      return;
    }
    const { conversationId, users } = session();
    response.set('Cache-Control', 'no-store').json({ conversationId, users });
  });
  return router;
}
