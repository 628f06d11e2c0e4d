import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Limits } from '@nudge/types';
import express from 'express';
import { NudgeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { onClientError, onConnect } from './client-error.ts';
import { answerCors } from './cors.ts';
import { type OpsOptions, opsRoutes } from './ops-routes.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { Pipeline } from './pipeline.ts';
import type { BoundRoute } from './route-binding.ts';
import { RouteTree } from './route-tree.ts';

/** Bounds of a connection in time, ms. */
export interface HttpTimeouts {
  /** From the first byte of a request to the last. */
  readonly requestMs: number;
  /** From the first byte of a request to the end of its head. */
  readonly headersMs: number;
  /** Between two requests; longer than that of a balancer in front (commonly 60 s), which must be the one to close. */
  readonly keepAliveMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** From the wish to stop until connections still at work are cut. */
  readonly stopMs: number;
}

const defaultTimeouts: HttpTimeouts = {
  requestMs: 15_000,
  headersMs: 10_000,
  keepAliveMs: 65_000,
  idleMs: 75_000,
  stopMs: 4_000,
};

export interface HttpHostOptions {
  readonly pipeline: Pipeline;
  /** Routes that skip Express. */
  readonly hot: readonly BoundRoute[];
  readonly routes: readonly BoundRoute[];
  readonly origins: OriginPolicy;
  readonly ops: OpsOptions;
  /** Pages and documents. The default Content-Security-Policy allows what comes from this server; a page that needs more sets its own. */
  readonly extra?: readonly express.Router[];
  readonly log: Logger;
  readonly limits: Limits;
  /** 0 for any free one. */
  readonly port: number;
  readonly host: string;
  readonly timeouts?: Partial<HttpTimeouts>;
}

export interface HttpHost extends AsyncDisposable {
  /** For whoever upgrades connections. */
  readonly server: Server;
  /** Listens; rejects when it cannot. `url` is where the server can be reached from this machine. */
  start(): Promise<{ url: string }>;
}

const securityHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
} as const;

/** The HTTP server of a process: hot routes on a plain listener, everything else on Express. */
export function createHttpHost(options: HttpHostOptions): HttpHost {
  const { pipeline, hot, origins, limits, log } = options;
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  let stopping = false;
  const app = createExpressApp(options, () => stopping);
  const listener = pipeline.listener(hot, app as RequestListener);
  const server: Server = createServer(
    {
      requestTimeout: timeouts.requestMs,
      headersTimeout: timeouts.headersMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      // Any other protocol that is offered (h2c) may be ignored (RFC 9110, 7.8): the request is answered as if it were not.
      shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket' && server.listenerCount('upgrade') > 0,
      connectionsCheckingInterval: Math.min(1_000, timeouts.requestMs, timeouts.headersMs),
    },
    (req, res) => {
      if (stopping) res.shouldKeepAlive = false;
      const origin = req.headers.origin;
      if (origin === undefined || !answerCors(req, res, origin, origins)) listener(req, res);
    },
  );
  server.timeout = timeouts.idleMs;
  server.maxConnections = limits.gatewaySockets + limits.requestsInFlight;
  server.on('clientError', onClientError).on('connect', onConnect);

  return {
    server,
    start: () => listen(server, options.port, options.host),
    async [Symbol.asyncDispose]() {
      stopping = true;
      if (!server.listening) return;
      await close(server, timeouts.stopMs, log);
    },
  };
}

function createExpressApp(options: HttpHostOptions, stopping: () => boolean): express.Express {
  const { pipeline, hot, routes, ops, extra = [], log } = options;
  const all = [...hot, ...routes];
  const known = new RouteTree<BoundRoute>();
  for (const bound of all) known.add(bound.route.method, bound.route.path, bound);
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false).enable('case sensitive routing').enable('strict routing');
  app.use((_req, res, next) => {
    res.set(securityHeaders);
    next();
  });
  app.use(opsRoutes({ ...ops, stopping, log }));
  // The hot ones too: what the plain listener leaves to Express (HEAD) finds them here.
  app.use(pipeline.router(all));
  for (const router of extra) app.use(router);
  app.use((req, res) => {
    const methods = known.methods(req.originalUrl);
    if (methods.length > 0) res.set('Allow', methods.join(', '));
    pipeline.refuse(req, res, new NudgeError(methods.length > 0 ? 'method_not_allowed' : 'not_found'));
  });
  const onError: express.ErrorRequestHandler = (error: unknown, req, res, _next) => pipeline.refuse(req, res, fromExpress(error));
  app.use(onError);
  return app;
}

/** Express marks what the client got wrong (a path that is not percent-encoded UTF-8) with a status of its own. */
function fromExpress(error: unknown): unknown {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  if (status === 404) return new NudgeError('not_found');
  return typeof status === 'number' && status >= 400 && status < 500 ? new NudgeError('invalid_request') : error;
}

function listen(server: Server, port: number, host: string): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address() as AddressInfo;
      const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address;
      resolve({
        url: `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`,
      });
    });
  });
}

/**
 * Ends when the last connection has: idle ones at once, those at work after their answer, all others when the time is up. Upgraded
 * connections belong to whoever upgraded them; they are not waited for longer than that.
 */
async function close(server: Server, stopMs: number, log: Logger): Promise<void> {
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  // An answer begun before the wish to stop leaves its connection open and idle.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => {
    log.warn('connections were cut');
    server.closeAllConnections();
    closed.resolve();
  }, stopMs);
  await closed.promise;
  clearInterval(sweep);
  clearTimeout(cut);
}
