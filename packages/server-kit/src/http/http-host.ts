import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Limits } from '@nudge/types';
import express from 'express';
import { NudgeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type ReadyCheck, type ReadyReport, reportReadiness } from '../ops/readiness.ts';
import type { Tls } from '../tls/tls.ts';
import { onClientError, onConnect } from './client-error.ts';
import { answerCors } from './cors.ts';
import { close, listen } from './listening.ts';
import type { OriginPolicy } from './origin-policy.ts';
import type { Pipeline } from './pipeline.ts';
import { probeRoutes } from './probe-routes.ts';
import type { BoundRoute } from './route-binding.ts';
import { RouteTree } from './route-tree.ts';

/** Bounds of a connection in time, ms. */
export interface HttpTimeouts {
  /** From the first byte of a request to the last. */
  readonly requestMs: number;
  /** From the first byte of a request to the end of its head. */
  readonly headersMs: number;
  /** Without a byte in either direction, between requests too; longer than that of a balancer in front (commonly 60 s), which must be the one to close. */
  readonly idleMs: number;
  /** From the wish to stop until connections still at work are cut. */
  readonly stopMs: number;
}

const defaultTimeouts: HttpTimeouts = {
  requestMs: 15_000,
  headersMs: 10_000,
  idleMs: 75_000,
  stopMs: 4_000,
};

export interface HttpHostOptions {
  readonly pipeline: Pipeline;
  /** Routes that skip Express. */
  readonly hot: readonly BoundRoute[];
  readonly routes: readonly BoundRoute[];
  readonly origins: OriginPolicy;
  /** What `/readyz` asks for. */
  readonly ready: readonly ReadyCheck[];
  /** Pages and documents. The default Content-Security-Policy allows what comes from this server; a page that needs more sets its own. */
  readonly extra?: readonly express.Router[];
  readonly log: Logger;
  readonly limits: Limits;
  /** With it the port speaks TLS only. Whoever brings it disposes of it. */
  readonly tls?: Tls | undefined;
  /** 0 for any free one. */
  readonly port: number;
  readonly host: string;
  /** The port is shared with other processes, among which the system spreads connections. Where the system cannot, listening fails. */
  readonly reusePort?: boolean;
  readonly timeouts?: Partial<HttpTimeouts>;
}

export interface HttpHost extends AsyncDisposable {
  /** For whoever upgrades connections. */
  readonly server: Server;
  /** Listens; rejects when it cannot. `url` is where the server can be reached from this machine. */
  start(): Promise<{ url: string }>;
  /** What `/readyz` answers. */
  readiness(): Promise<ReadyReport>;
}

const securityHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
} as const;

/** The HTTP server of a process: hot routes on a plain listener, everything else on Express. */
export function createHttpHost(options: HttpHostOptions): HttpHost {
  const { pipeline, hot, origins, limits, log, tls } = options;
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  let stopping = false;
  const readiness = () => reportReadiness(options.ready, () => stopping, log);
  const app = createExpressApp(options, readiness);
  const listener = pipeline.listener(hot, app as RequestListener);
  const serverOptions: ServerOptions = {
    requestTimeout: timeouts.requestMs,
    headersTimeout: timeouts.headersMs,
    // The idle time-out ends kept connections too. One of their own would be armed and disarmed for every request.
    keepAliveTimeout: 0,
    // Any other protocol that is offered (h2c) may be ignored (RFC 9110, 7.8): the request is answered as if it were not.
    shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket' && server.listenerCount('upgrade') > 0,
    connectionsCheckingInterval: Math.min(1_000, timeouts.requestMs, timeouts.headersMs),
  };
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    if (stopping) res.shouldKeepAlive = false;
    const origin = req.headers.origin;
    if (origin === undefined || !answerCors(req, res, origin, origins)) listener(req, res);
  };
  const server: Server = createListener(tls, serverOptions, timeouts, onRequest);
  server.timeout = timeouts.idleMs;
  server.maxConnections = limits.gatewaySockets + limits.requestsInFlight;
  server.on('clientError', onClientError).on('connect', onConnect);

  return {
    server,
    start: () => listen(server, tls === undefined ? 'http' : 'https', options),
    readiness,
    async [Symbol.asyncDispose]() {
      stopping = true;
      await close(server, timeouts.stopMs, log);
    },
  };
}

function createListener(tls: Tls | undefined, options: ServerOptions, timeouts: HttpTimeouts, onRequest: RequestListener): Server {
  if (tls === undefined) return createServer(options, onRequest);
  const server = createTlsServer({ ...options, ...tls.context(), handshakeTimeout: timeouts.headersMs }, onRequest);
  tls.follow(server);
  return server;
}

function createExpressApp(options: HttpHostOptions, readiness: () => Promise<ReadyReport>): express.Express {
  const { pipeline, hot, routes, extra = [] } = options;
  const all = [...hot, ...routes];
  const known = new RouteTree<BoundRoute>();
  for (const bound of all) known.add(bound.route.method, bound.route.path, bound);
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false).enable('case sensitive routing').enable('strict routing');
  app.use((_req, res, next) => {
    res.set(securityHeaders);
    next();
  });
  app.use(probeRoutes(readiness));
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
