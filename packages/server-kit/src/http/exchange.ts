import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity, ServerIdentity } from '../auth/identity.ts';
import { type NudgeError, toProblem } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RateDecision } from '../ports/rate-limiter.ts';
import { ClientGone, discardRest } from './read-body.ts';
import type { Answer, RequestContext } from './route-binding.ts';

/** When a retryable refusal does not say how long it lasts, ms. */
const defaultRetryAfterMs = 1_000;
/** Status under which a request is counted whose client did not wait for the answer. */
export const clientGoneStatus = 499;

/** How long a client is told that its connection is kept, s: a little less than the host's idle time-out. Without a word some let go after 4 s. */
const keptSeconds = 70;

/** One request and its answer. It is the handler's context; what few handlers need is made on first use. */
export class Exchange implements RequestContext {
  readonly requestId: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly #routeName: string;
  readonly #parentLog: Logger;
  #log: Logger | undefined;
  #abort: AbortController | undefined;
  #identity: Identity | undefined;
  #server: ServerIdentity | undefined;
  #ratePoints = '';
  #rate: RateDecision | undefined;

  constructor(requestId: string, req: IncomingMessage, res: ServerResponse, routeName: string, log: Logger) {
    this.requestId = requestId;
    this.req = req;
    this.res = res;
    this.#routeName = routeName;
    this.#parentLog = log;
  }

  get log(): Logger {
    this.#log ??= this.#parentLog.child({
      requestId: this.requestId,
      route: this.#routeName,
    });
    return this.#log;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.res.destroyed) abort.abort(new ClientGone());
      else this.res.once('close', () => this.res.writableFinished || abort.abort(new ClientGone()));
    }
    return this.#abort.signal;
  }

  get identity(): Identity {
    if (this.#identity === undefined) throw new TypeError(`${this.#routeName} is not a route of users`);
    return this.#identity;
  }

  set identity(identity: Identity) {
    this.#identity = identity;
  }

  get server(): ServerIdentity {
    if (this.#server === undefined) throw new TypeError(`${this.#routeName} is not a route of servers`);
    return this.#server;
  }

  set server(server: ServerIdentity) {
    this.#server = server;
  }

  /** Announces the limit and what is left of it. */
  limited(points: string, decision: RateDecision): void {
    this.#ratePoints = points;
    this.#rate = decision;
  }

  /** Sends the answer of a handler; returns the status. */
  answer(answer: Answer): number {
    const { res } = this;
    if (res.destroyed) return clientGoneStatus;
    const payload = 'json' in answer ? answer.json : JSON.stringify(answer.body);
    const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
    const headers = this.#headers('application/json', length);
    discardRest(this.req);
    res.writeHead(answer.status, headers);
    // As many bytes as characters: ASCII, which Node writes with less ado when told so.
    if (typeof payload === 'string' && length === payload.length) res.end(payload, 'latin1');
    else res.end(payload);
    return answer.status;
  }

  /** Sends the problem document of a failure; returns the status. */
  refuse(error: NudgeError): number {
    const { req, res } = this;
    if (res.destroyed) return clientGoneStatus;
    if (res.headersSent) {
      res.destroy();
      return clientGoneStatus;
    }
    const problem = toProblem(error, this.requestId);
    const payload = JSON.stringify(problem);
    const headers = this.#headers('application/problem+json', Buffer.byteLength(payload));
    if (problem.status === 401) headers.push('WWW-Authenticate', 'Bearer');
    if (problem.status === 429 || problem.status === 503) {
      headers.push('Retry-After', String(Math.max(1, Math.ceil((error.retryAfterMs ?? defaultRetryAfterMs) / 1000))));
    }
    discardRest(req);
    res.writeHead(problem.status, headers);
    res.end(payload);
    return problem.status;
  }

  #headers(type: string, length: number): string[] {
    const headers = [
      'Content-Type',
      type,
      'Content-Length',
      String(length),
      'Cache-Control',
      'no-store',
      'X-Content-Type-Options',
      'nosniff',
      'X-Request-Id',
      this.requestId,
    ];
    if (this.res.shouldKeepAlive) headers.push('Keep-Alive', `timeout=${keptSeconds}`);
    const rate = this.#rate;
    if (rate !== undefined) {
      const reset = String(Math.ceil(rate.resetMs / 1000));
      headers.push('RateLimit-Limit', this.#ratePoints, 'RateLimit-Remaining', String(rate.remaining), 'RateLimit-Reset', reset);
    }
    return headers;
  }
}
