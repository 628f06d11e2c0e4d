import type { Route, RouteAnswer, RouteInput } from '@nudge/types';
import type { Identity, ServerIdentity } from '../auth/identity.ts';
import type { Logger } from '../log.ts';

/** What a handler knows of the request beside its input. */
export interface RequestContext {
  readonly requestId: string;
  /** Names request and route on every line. */
  readonly log: Logger;
  /** On routes of users; elsewhere reading it is an error of the handler. */
  readonly identity: Identity;
  /** On routes of the integrator's servers; elsewhere reading it is an error of the handler. */
  readonly server: ServerIdentity;
  /** Aborts when the client is gone. Made on first use. */
  readonly signal: AbortSignal;
}

/** JSON text that is passed through unparsed. */
export interface RawAnswer {
  readonly status: 200;
  readonly json: Buffer | string;
}

/** Answers a validated request of route `R`, or throws an error with a registered code. */
export type Handler<R extends Route> = (input: RouteInput<R>, context: RequestContext) => Promise<RouteAnswer<R> | RawAnswer>;

/** A handler that has something to say to requests above their rate. */
export interface LimitedHandler<R extends Route> {
  readonly handle: Handler<R>;
  /**
   * Asked for a request that the rate limiter refuses: an answer when it is settled already (a repeat of what succeeded before),
   * `undefined` when the refusal stands. It must cost little and change nothing. At most as many requests get here as the limit allows
   * besides.
   */
  readonly overLimit: (input: RouteInput<R>, context: RequestContext) => Promise<RouteAnswer<R> | undefined>;
}

/** What any handler answers, its type forgotten. */
export type Answer = { readonly status: number; readonly body: unknown } | RawAnswer;

/** What the schemas of a route gave out, types forgotten. */
export interface RouteValues {
  params: unknown;
  query: unknown;
  body: unknown;
}

/** A route and its handler, types forgotten, for a pipeline to mount. */
export interface BoundRoute {
  /** Operation id: names the route in metrics and logs. */
  readonly name: string;
  readonly route: Route;
  readonly handle: (input: RouteValues, context: RequestContext) => Promise<Answer>;
  /** See {@link LimitedHandler}. */
  readonly overLimit?: (input: RouteValues, context: RequestContext) => Promise<Answer | undefined>;
}

/** Binds a handler to a route of the wire contract. */
export function bind<R extends Route>(name: string, route: R, handler: Handler<R> | LimitedHandler<R>): BoundRoute {
  // Sound because the pipeline calls a handler only with what the schemas of this very route gave out.
  if (typeof handler === 'function') return { name, route, handle: (input, context) => handler(input as RouteInput<R>, context) };
  return {
    name,
    route,
    handle: (input, context) => handler.handle(input as RouteInput<R>, context),
    overLimit: (input, context) => handler.overLimit(input as RouteInput<R>, context),
  };
}
