import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../clock.ts';
import { NudgeError, toNudgeError } from '../errors.ts';
import { onClientError, onConnect } from '../http/client-error.ts';
import { Exchange } from '../http/exchange.ts';
import { close, listen } from '../http/listening.ts';
import { ClientGone } from '../http/read-body.ts';
import { createRequestIds } from '../http/request-id.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { LiveLogLevel } from './live-log-level.ts';
import { createOpsAccess } from './ops-access.ts';
import { opsRoutes } from './ops-routes.ts';
import type { ReadyReport } from './readiness.ts';

/** Where the operations port listens. */
export interface OpsAddress {
  /** 0 for any free one. */
  readonly port: number;
  readonly host: string;
  /** Asked for, as a bearer token, of everything but the probes. Absent only on loopback. */
  readonly token: string | undefined;
}

export interface OpsServerOptions extends OpsAddress {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<ReadyReport>;
  /** Whose level can be changed. */
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The operations port of a process. Disposing ends a profile that is being taken. */
export interface OpsServer extends AsyncDisposable {
  start(): Promise<{ url: string }>;
}

const stopMs = 1_000;

/** For those who run the server, apart from the public port: probes, metrics, the log level, profiles. */
export function createOpsServer(options: OpsServerOptions): OpsServer {
  const { log, clock = systemClock } = options;
  const access = createOpsAccess(options.token);
  const level = new LiveLogLevel(log, clock);
  const stop = new AbortController();
  const routes = new Map(
    Object.entries(opsRoutes({ metrics: options.metrics, readiness: options.readiness, log, level, stopping: stop.signal })),
  );
  const requestId = createRequestIds();

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const exchange = new Exchange(requestId(req.headers['x-request-id']), req, res, 'ops', log);
    if (stop.signal.aborted) res.shouldKeepAlive = false;
    try {
      access.checkSource(req);
      const { pathname, searchParams } = parseTarget(req.url ?? '/');
      const route = routes.get(`${req.method === 'HEAD' ? 'GET' : req.method} ${pathname}`);
      if (route?.open === undefined) access.checkToken(req);
      if (route === undefined) throw unknownRoute(res, pathname, [...routes.keys()]);
      await route.handle(exchange, searchParams);
    } catch (error) {
      if (error instanceof ClientGone) return;
      const problem = toNudgeError(error);
      if (problem.code === 'internal') exchange.log.error({ err: problem.cause ?? problem }, 'the request failed');
      exchange.refuse(problem);
    }
  }

  const server: Server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (req, res) => void serve(req, res),
  );
  server.maxConnections = 64;
  server.on('clientError', onClientError).on('connect', onConnect);
  return {
    start: () => listen(server, 'http', options),
    async [Symbol.asyncDispose]() {
      stop.abort(new NudgeError('draining'));
      level[Symbol.dispose]();
      await close(server, stopMs, log);
    },
  };
}

function parseTarget(target: string): URL {
  const text = `http://ops${target}`;
  if (!target.startsWith('/') || !URL.canParse(text)) throw new NudgeError('invalid_request');
  return new URL(text);
}

function unknownRoute(res: ServerResponse, path: string, routes: readonly string[]): NudgeError {
  const methods = routes.filter((route) => route.endsWith(` ${path}`)).map((route) => route.split(' ')[0]);
  if (methods.length === 0) return new NudgeError('not_found');
  res.setHeader('Allow', methods.join(', '));
  return new NudgeError('method_not_allowed');
}
