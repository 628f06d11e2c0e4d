import {
  createRoutes,
  type ErrorCode,
  errorRegistry,
  type Limits,
  limitVariable,
  problemSchema,
  type Route,
  type RouteName,
} from '@nudge/types';
import { z } from 'zod';
import { createDocument, type ZodOpenApiObject, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi';

/** The product's HTTP interface as OpenAPI 3.1, under the bounds in force. */
export type OpenApiDocument = ReturnType<typeof createDocument>;

/** What every route may answer beside its own errors. */
const commonErrors: readonly ErrorCode[] = ['invalid_request', 'rate_limited', 'overloaded', 'database_unavailable', 'internal'];
const tokenErrors: readonly ErrorCode[] = ['token_missing', 'token_invalid', 'token_expired', 'token_revoked'];
/** A user may be shut out of the app. */
const userErrors: readonly ErrorCode[] = ['user_banned'];
const bodyErrors: readonly ErrorCode[] = ['too_large', 'unsupported_media_type'];

const tags = [
  { name: 'conversations', description: 'Conversations and their members.' },
  { name: 'messages', description: 'Sends and read positions.' },
  { name: 'sync', description: 'The pull side: pages, deltas over many logs, heads.' },
  { name: 'gateways', description: 'Where to hold the socket that says when to pull.' },
  { name: 'users', description: 'Users.' },
  { name: 'admin', description: "For the integrator's own servers, with a server key." },
];

const credentials: Record<Route['auth'], Record<string, string[]>[]> = {
  user: [{ userToken: [] }],
  server: [{ serverKey: [] }],
  none: [],
};

/** Generates the document from the very table of routes that requests are validated against. */
export function createOpenApiDocument(options: {
  readonly limits: Limits;
  readonly version: string;
  readonly serverUrl?: string;
}): OpenApiDocument {
  const { limits, version, serverUrl } = options;
  const paths: NonNullable<ZodOpenApiObject['paths']> = {};
  for (const [name, route] of Object.entries(createRoutes(limits)) as [RouteName, Route][]) {
    const method = route.method.toLowerCase() as Lowercase<Route['method']>;
    paths[route.path] = { ...paths[route.path], [method]: operation(name, route, limits) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Nudge',
      version,
      description: 'Chat backend. Sockets push only keys (this log has reached this seq); everything else is asked for here.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: serverUrl ?? '/' }],
    tags,
    paths,
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: {
        userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A token of one user.' },
        serverKey: {
          type: 'http',
          scheme: 'bearer',
          description: "A server key `nsk_<kid>_<secret>` of the integrator's own servers.",
        },
      },
    },
  });
}

function operation(name: string, route: Route, limits: Limits): ZodOpenApiOperationObject {
  const { params, query, body } = route;
  const requestParams = {
    ...(params instanceof z.ZodObject ? { path: params } : {}),
    ...(query instanceof z.ZodObject ? { query } : {}),
  };
  const optional = body?.safeParse(undefined).success === true;
  return {
    operationId: name,
    summary: route.summary,
    description: `At most ${limits[route.rate]} requests in ten seconds (\`${limitVariable(route.rate)}\`).`,
    tags: [route.tag],
    security: credentials[route.auth],
    ...(Object.keys(requestParams).length === 0 ? {} : { requestParams }),
    ...(body === undefined ? {} : { requestBody: { required: !optional, content: { 'application/json': { schema: body } } } }),
    responses: responses(route),
  };
}

function responses(route: Route): ZodOpenApiResponsesObject {
  const answers: ZodOpenApiResponsesObject = {};
  for (const [status, schema] of Object.entries(route.answers)) {
    answers[status as `${1 | 2 | 3 | 4 | 5}${string}`] = {
      description: status === '201' ? 'Created' : 'OK',
      content: { 'application/json': { schema } },
    };
  }
  const codes = new Set<ErrorCode>([
    ...commonErrors,
    ...(route.auth === 'none' ? [] : tokenErrors),
    ...(route.auth === 'user' ? userErrors : []),
    ...(route.body === undefined ? [] : bodyErrors),
    ...route.errors,
  ]);
  for (const [status, ofStatus] of Map.groupBy(codes, (code) => errorRegistry[code].status)) {
    answers[`${status}` as `${1 | 2 | 3 | 4 | 5}${string}`] = {
      description: ofStatus.map((code) => `\`${code}\`: ${errorRegistry[code].title}`).join('. '),
      content: { 'application/problem+json': { schema: problemSchema } },
    };
  }
  return answers;
}
