import {
  createRoutes,
  defaultLimits,
  type ErrorCode,
  errorRegistry,
  type Limits,
  type Problem,
  problemSchema,
  type Route,
  type RouteAnswer,
  type RouteName,
  type Routes,
} from '@nudge/types';

/** A request as a test writes it: nothing is checked before it is sent. */
export interface Request {
  /** A user token or a server key; without one the request carries no credential. */
  readonly token?: string | undefined;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly rawBody?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Statuses with which a route succeeds. */
export type SuccessStatus<Name extends RouteName> = RouteAnswer<Routes[Name]>['status'];

/** What a route answers on success; with one of its statuses if there are several. */
export type Success<Name extends RouteName, Status extends SuccessStatus<Name> = SuccessStatus<Name>> = Extract<
  RouteAnswer<Routes[Name]>,
  { readonly status: Status }
>['body'];

/** An answer that already holds to the contract of its route. */
export interface Reply<Name extends RouteName> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
  /** The body of a success; throws when the answer is a problem or has another status. */
  ok<const Status extends SuccessStatus<Name> = SuccessStatus<Name>>(status?: Status): Success<Name, Status>;
  /** The problem document; throws when the answer is a success or has another code. */
  refused(code: ErrorCode): Problem;
}

export interface HttpClient {
  readonly url: string;
  readonly limits: Limits;
  readonly routes: Routes;
  call<Name extends RouteName>(name: Name, request?: Request): Promise<Reply<Name>>;
}

/** Codes that any route may answer with, whatever its contract lists. */
const commonErrors: readonly ErrorCode[] = [
  'invalid_request',
  'token_missing',
  'token_invalid',
  'token_expired',
  'token_revoked',
  'user_banned',
  'rate_limited',
  'overloaded',
  'database_unavailable',
  'draining',
];
/** Codes of routes that take a body. */
const bodyErrors: readonly ErrorCode[] = ['too_large', 'unsupported_media_type', 'request_timeout'];

/** Calls the routes over real HTTP and holds every answer against the schema of its route. */
export function httpClient(url: string, limits: Limits = defaultLimits): HttpClient {
  const routes = createRoutes(limits);
  return {
    url,
    limits,
    routes,
    async call<Name extends RouteName>(name: Name, request: Request = {}): Promise<Reply<Name>> {
      const route: Route = routes[name];
      const body = bodyOf(request);
      const response = await fetch(url + pathOf(route, request), {
        method: route.method,
        headers: headersOf(request),
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      const json = checkAnswer(name, route, { status: response.status, headers: response.headers, text });
      return {
        status: response.status,
        headers: response.headers,
        text,
        json,
        ok<Status extends SuccessStatus<Name>>(status?: Status) {
          if (!(response.status in route.answers) || (status !== undefined && response.status !== status)) {
            throw new Error(`${name} answered ${response.status}, not ${status ?? 'a success'}: ${text.slice(0, 500)}`);
          }
          return json as Success<Name, Status>;
        },
        refused(code) {
          if (response.status in route.answers || (json as Problem).code !== code) {
            throw new Error(`${name} answered ${response.status}, not ${code}: ${text.slice(0, 500)}`);
          }
          return json as Problem;
        },
      };
    },
  };
}

/** What a send answered that was stored, now or earlier; throws when it was refused or waits for its time. */
export function sent(reply: Reply<'sendMessage'>): Success<'sendMessage', 200 | 201> {
  return reply.status === 200 ? reply.ok(200) : reply.ok(201);
}

/** A value in form for every parameter that a path has; nothing is there under any of them. */
export const sampleParams: Readonly<Record<string, string>> = {
  conversationId: '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e',
  userId: 'ann',
  seq: '1',
  emoji: '👍',
  scheduledId: '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5f',
  noticeId: '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d60',
};

/** The target of a request: parameters filled in and encoded, the query appended. */
export function pathOf(route: Route, { params = {}, query = {} }: Request): string {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? `missing-${name}`));
  const search = new URLSearchParams(Object.entries(query).map(([key, value]): [string, string] => [key, String(value)])).toString();
  return search === '' ? path : `${path}?${search}`;
}

/**
 * Holds an answer against the contract: a success has the declared schema; a failure is a problem document with a registered code that the
 * route may answer with, its status, and `Retry-After` where one is due. A 500 never passes. Returns the parsed body.
 */
export function checkAnswer(
  name: string,
  route: Route,
  answer: { readonly status: number; readonly headers: Headers; readonly text: string },
): unknown {
  const { status, headers, text } = answer;
  const fail = (why: string) => new Error(`${name} ${status}: ${why}\n${text.slice(0, 500)}`);
  const json: unknown = JSON.parse(text);
  if (headers.get('cache-control') !== 'no-store') throw fail('Cache-Control is not no-store');
  const schema = route.answers[status];
  if (schema !== undefined) {
    if (headers.get('content-type') !== 'application/json') throw fail(`content type ${headers.get('content-type')}`);
    const result = schema.safeParse(json);
    if (!result.success) throw fail(`the answer does not have its schema: ${result.error.message}`);
    return json;
  }
  const problem = checkProblem(status, headers, json, fail);
  const allowed = [...commonErrors, ...route.errors, ...(route.body === undefined ? [] : bodyErrors)];
  if (!allowed.includes(problem.code)) throw fail(`the route does not declare ${problem.code}`);
  return json;
}

/** Holds a failure against the form of problems, whatever the route. */
export function checkProblem(status: number, headers: Headers, json: unknown, fail = (why: string): Error => new Error(why)): Problem {
  if (headers.get('content-type') !== 'application/problem+json') throw fail(`content type ${headers.get('content-type')}`);
  const result = problemSchema.safeParse(json);
  if (!result.success) throw fail(`not a problem document: ${result.error.message}`);
  const problem = result.data;
  const registered = errorRegistry[problem.code];
  if (problem.status !== status || registered.status !== status) throw fail(`status of ${problem.code} is ${registered.status}`);
  if (problem.retryable !== registered.retryable || problem.title !== registered.title) throw fail('not as registered');
  if (problem.requestId !== headers.get('x-request-id')) throw fail('requestId is not X-Request-Id');
  if (status === 401 && headers.get('www-authenticate') === null) throw fail('a 401 without WWW-Authenticate');
  if ((status === 429 || status === 503) && !/^[1-9]\d*$/.test(headers.get('retry-after') ?? '')) throw fail('Retry-After is missing');
  return problem;
}

function headersOf({ token, headers = {}, body }: Request): Record<string, string> {
  return {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  };
}

function bodyOf({ body, rawBody }: Request): string | Uint8Array<ArrayBuffer> | undefined {
  if (rawBody !== undefined) return rawBody;
  return body === undefined ? undefined : JSON.stringify(body);
}
