import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Limits } from '@nudge/types';
import express from 'express';
import type { Admission } from '../auth/admission.ts';
import type { AppDirectory } from '../auth/app-directory.ts';
import type { ServerKeyVerifier } from '../auth/server-key.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import { type Clock, systemClock } from '../clock.ts';
import { NudgeError, toNudgeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RateDecision, RateLimiter } from '../ports/rate-limiter.ts';
import { noTracer, type Tracer } from '../tracing/tracer.ts';
import { createClientAddress } from './client-address.ts';
import { clientGoneStatus, Exchange } from './exchange.ts';
import { type Mounted, mount, rawParams } from './mounted-route.ts';
import { ClientGone, hasBody, readJsonBody } from './read-body.ts';
import { ReadTargets, readTarget, type Target } from './read-target.ts';
import { createRequestIds } from './request-id.ts';
import type { BoundRoute, RouteValues } from './route-binding.ts';
import { RouteTree } from './route-tree.ts';
import { validate } from './validate.ts';

export interface PipelineOptions {
  readonly tokens: TokenVerifier;
  readonly serverKeys: ServerKeyVerifier;
  readonly limiter: RateLimiter;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly directory: Pick<AppDirectory, 'isFresh'>;
  readonly clock?: Clock;
  /** Asked for every request of a user after its token: ensures the user's row, refuses by throwing. */
  readonly admit?: Admission;
  /** Why nothing can be served now, for the caller; undefined while it can. */
  readonly refusal?: () => string | undefined;
  readonly tracer?: Tracer;
  /** Where a request comes from; the other end of its connection by default. */
  readonly clientAddress?: (req: IncomingMessage) => string;
}

/** The way of every request: id, authentication, rate limit, validation, admission, handler, answer or problem, metrics. */
export interface Pipeline {
  /** The routes as an Express router. */
  router(routes: readonly BoundRoute[]): express.Router;
  /** The routes as a plain listener, for what must be fast; all else goes to `fallback`. */
  listener(hot: readonly BoundRoute[], fallback: RequestListener): RequestListener;
  /** Answers with a problem document outside of any route. */
  refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void;
}

/** One pipeline with two mounts: a request is judged in the same way whichever way it came in. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const pipeline = new RequestPipeline(options);
  return {
    router: (routes) => pipeline.router(routes),
    listener: (hot, fallback) => pipeline.listener(hot, fallback),
    refuse: (req, res, error) => pipeline.refuse(req, res, error),
  };
}

class RequestPipeline {
  readonly #options: PipelineOptions & Required<Pick<PipelineOptions, 'clock' | 'clientAddress'>>;
  readonly #requestId = createRequestIds();
  #inFlight = 0;
  /** Requests with a body in progress, by whom their rate is counted against. */
  readonly #open = new Map<string, number>();
  #limiterFailedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PipelineOptions) {
    this.#options = { ...options, clock: options.clock ?? systemClock, clientAddress: options.clientAddress ?? createClientAddress([]) };
    options.metrics.gauge({
      name: 'nudge_http_requests_in_flight',
      help: 'HTTP requests being worked on',
      collect: () => this.#inFlight,
    });
  }

  router(routes: readonly BoundRoute[]): express.Router {
    const router = express.Router({ caseSensitive: true, strict: true });
    for (const bound of routes) {
      const mounted = mount(bound, this.#options.limits, this.#options.metrics);
      const path = bound.route.path.replaceAll(/\{(\w+)\}/g, ':$1');
      const method = bound.route.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
      router[method](path, (req, res) => this.#begin(mounted, req, res, { text: req.originalUrl, params: rawParams(mounted, req.path) }));
    }
    return router;
  }

  listener(hot: readonly BoundRoute[], fallback: RequestListener): RequestListener {
    const tree = new RouteTree<Mounted>();
    for (const bound of hot) tree.add(bound.route.method, bound.route.path, mount(bound, this.#options.limits, this.#options.metrics));
    const readTargets = new ReadTargets();
    return (req, res) => {
      const text = req.url ?? '/';
      const read = req.method === 'GET' ? readTargets.get(text) : undefined;
      if (read !== undefined) {
        void this.#begin(read.mounted, req, res, read.values);
        return;
      }
      const match = tree.match(req.method ?? '', text);
      if (match === undefined) fallback(req, res);
      else void this.#begin(match.value, req, res, { text, params: match.params, readTargets });
    };
  }

  refuse(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    const exchange = new Exchange(this.#requestId(req.headers['x-request-id']), req, res, 'none', this.#options.log);
    this.#fail(exchange, error);
  }

  /** Never rejects. */
  #begin(mounted: Mounted, req: IncomingMessage, res: ServerResponse, target: Target | RouteValues): Promise<number> {
    const { tracer = noTracer } = this.#options;
    if (!tracer.enabled) return this.#serve(mounted, req, res, target);
    const { traceparent } = req.headers;
    const parent = typeof traceparent === 'string' ? traceparent : undefined;
    return tracer.span(mounted.name, { kind: 'server', parent, attributes: { 'http.route': mounted.route.path } }, async (span) => {
      const status = await this.#serve(mounted, req, res, target);
      span.set('http.response.status_code', status);
      return status;
    });
  }

  /** Never rejects; gives the status. One wait, for the handler, when nothing else has to be waited for: this is the hot path. */
  async #serve(mounted: Mounted, req: IncomingMessage, res: ServerResponse, target: Target | RouteValues): Promise<number> {
    const { log, limits } = this.#options;
    const startedAt = performance.now();
    const exchange = new Exchange(this.#requestId(req.headers['x-request-id']), req, res, mounted.name, log);
    let status: number;
    if (this.#inFlight >= limits.requestsInFlight) {
      status = exchange.refuse(new NudgeError('overloaded'));
    } else {
      this.#inFlight++;
      let entered: string | undefined;
      let refused: NudgeError | undefined;
      try {
        const subject = this.#authenticate(mounted, exchange);
        const decision = this.#consume(mounted, subject);
        refused = this.#judgeRate(mounted, exchange, decision instanceof Promise ? await decision : decision);
        if (refused !== undefined && !(await this.#mayAskAgain(mounted, subject))) throw refused;
        const input = 'text' in target ? readTarget(mounted, target) : target;
        if (mounted.route.body !== undefined) {
          this.#enter(mounted, subject);
          entered = subject;
          input.body = await this.#readBody(mounted, req);
        }
        if (mounted.route.body === undefined && hasBody(req))
          throw new NudgeError('invalid_request', { detail: 'this route takes no body' });
        const admission = mounted.route.auth === 'user' ? this.#options.admit?.(exchange.identity) : undefined;
        if (admission !== undefined) await admission;
        const answer = refused === undefined ? await mounted.handle(input, exchange) : await mounted.overLimit?.(input, exchange);
        status = answer === undefined ? this.#fail(exchange, refused) : exchange.answer(answer);
      } catch (error) {
        // Above its rate a request is told just that, whatever else is wrong with it.
        status = this.#fail(exchange, error instanceof ClientGone ? error : (refused ?? error));
      }
      if (entered !== undefined) this.#leave(entered);
      this.#inFlight--;
    }
    const elapsedMs = performance.now() - startedAt;
    mounted.observe(status, elapsedMs / 1000);
    if (log.isLevelEnabled('debug')) exchange.log.debug({ status, elapsedMs }, 'answered');
    return status;
  }

  /** Whom the request is counted against, as a key of the limiter. */
  #authenticate(mounted: Mounted, exchange: Exchange): string {
    if (!this.#options.directory.isFresh())
      throw new NudgeError('database_unavailable', { detail: 'the keys of the apps could not be read' });
    const refusal = this.#options.refusal?.();
    if (refusal !== undefined) throw new NudgeError('database_unavailable', { detail: refusal });
    const { route, rateKeys } = mounted;
    if (route.auth === 'none') return `${route.rate}/ip/${this.#options.clientAddress(exchange.req)}`;
    const credential = bearer(exchange.req.headers.authorization);
    if (route.auth === 'server') {
      exchange.server = this.#options.serverKeys.verify(credential);
      return `${route.rate}/s/${exchange.server.kid}`;
    }
    const identity = this.#options.tokens.verify(credential);
    exchange.identity = identity;
    // A token verified before gives the same identity again: its key keeps its hash.
    let key = rateKeys.get(identity);
    if (key === undefined) {
      key = `${route.rate}/u/${identity.appId}/${identity.userId}`;
      rateKeys.set(identity, key);
    }
    return key;
  }

  /** Takes one of the user's places for a request with a body; an integrator's server is trusted with all of them. */
  #enter({ route }: Mounted, subject: string): void {
    const { requestsInFlightPerUser: limit } = this.#options.limits;
    const open = this.#open.get(subject) ?? 0;
    if (open >= limit && route.auth === 'user') {
      throw new NudgeError('rate_limited', {
        detail: `at most ${limit} requests of one user at the same time (requestsInFlightPerUser)`,
        retryAfterMs: 1_000,
      });
    }
    this.#open.set(subject, open + 1);
  }

  #leave(subject: string): void {
    const open = (this.#open.get(subject) ?? 0) - 1;
    if (open > 0) this.#open.set(subject, open);
    else this.#open.delete(subject);
  }

  async #readBody({ route, maxBodyBytes, bodyLimit }: Mounted, req: IncomingMessage): Promise<unknown> {
    const body = await readJsonBody(req, maxBodyBytes, this.#options.limits.jsonDepth, bodyLimit);
    return route.body === undefined ? undefined : validate(route.body, body, 'body');
  }

  #consume(mounted: Mounted, key: string): RateDecision | undefined | Promise<RateDecision | undefined> {
    try {
      const decision = this.#options.limiter.consume(key, mounted.limit);
      return decision instanceof Promise ? decision.catch((error: unknown) => this.#limiterFailed(error)) : decision;
    } catch (error) {
      return this.#limiterFailed(error);
    }
  }

  /** A limiter out of order limits no one: sends and pulls go on while Redis is down. */
  #limiterFailed(error: unknown): undefined {
    const now = this.#options.clock.now();
    if (now - this.#limiterFailedAt > 10_000) {
      this.#limiterFailedAt = now;
      this.#options.log.warn({ err: error }, 'the rate limiter failed: requests are not limited');
    }
    return undefined;
  }

  /** The refusal of a request above its rate. */
  #judgeRate({ limit, pointsText, route }: Mounted, exchange: Exchange, decision: RateDecision | undefined): NudgeError | undefined {
    if (decision === undefined) return undefined;
    exchange.limited(pointsText, decision);
    if (decision.allowed) return undefined;
    const detail = `at most ${limit.points} requests in ${limit.windowMs / 1000} s (${route.rate})`;
    return new NudgeError('rate_limited', { detail, retryAfterMs: decision.resetMs });
  }

  /** Whether a request above its rate may still be asked for what it repeats: as many times as the rate allows, then no more. */
  async #mayAskAgain(mounted: Mounted, subject: string): Promise<boolean> {
    if (mounted.overLimit === undefined) return false;
    const decision = await this.#consume(mounted, `over/${subject}`);
    return decision?.allowed ?? false;
  }

  #fail(exchange: Exchange, error: unknown): number {
    if (error instanceof ClientGone) return clientGoneStatus;
    const problem = toNudgeError(error);
    if (problem.code === 'internal') exchange.log.error({ err: problem.cause ?? problem }, 'the request failed');
    else if (problem.code === 'database_unavailable') exchange.log.warn({ err: problem }, 'the request failed');
    return exchange.refuse(problem);
  }
}

/** The credential of an `Authorization` header; empty when there is none. */
function bearer(authorization: string | undefined): string {
  if (authorization === undefined) return '';
  if (authorization.length > 7 && (authorization.startsWith('Bearer ') || /^bearer /i.test(authorization))) return authorization.slice(7);
  throw new NudgeError('token_missing', {
    detail: 'Authorization must be "Bearer <token>"',
  });
}
