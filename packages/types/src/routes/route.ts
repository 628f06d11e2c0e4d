import type { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { LimitName } from '../limits.ts';

/** Who may call a route: a user with a token, the integrator with a server key, anyone. */
export type RouteAuth = 'user' | 'server' | 'none';

/** One HTTP route of the wire contract: what it takes, what it answers, how it can fail. Validation, OpenAPI and the tests read it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** OpenAPI form: `/v1/conversations/{conversationId}`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: 'conversations' | 'messages' | 'sync' | 'users' | 'admin' | 'gateways';
  readonly auth: RouteAuth;
  /** The bound its rate is counted against, per user or server key. */
  readonly rate: LimitName;
  /** The bound on the size of its request body. */
  readonly bodyLimit?: LimitName;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Codes beyond those that every route has (`invalid_request`, `token_*`, `rate_limited`, `overloaded`, `database_unavailable`, `internal`). */
  readonly errors: readonly ErrorCode[];
}

type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a handler of `R` is given after validation. */
export interface RouteInput<R extends Route> {
  readonly params: Parsed<R['params']>;
  readonly query: Parsed<R['query']>;
  readonly body: Parsed<R['body']>;
}

/** What a handler of `R` may answer: one of the declared statuses with its body. */
export type RouteAnswer<R extends Route> = {
  [Status in keyof R['answers'] & number]: R['answers'][Status] extends z.ZodType
    ? { readonly status: Status; readonly body: z.input<R['answers'][Status]> }
    : never;
}[keyof R['answers'] & number];
