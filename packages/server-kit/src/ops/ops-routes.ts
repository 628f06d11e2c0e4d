import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { NudgeError } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import { hasBody, readJsonBody } from '../http/read-body.ts';
import { validate } from '../http/validate.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type LiveLogLevel, logLevelChangeSchema } from './live-log-level.ts';
import { maxProfileSeconds, Profiler, profileKinds } from './profiler.ts';
import type { ReadyReport } from './readiness.ts';

export interface OpsRoutesOptions {
  readonly metrics: Metrics;
  readonly readiness: () => Promise<ReadyReport>;
  readonly log: Logger;
  readonly level: LiveLogLevel;
  /** Ends what takes long. */
  readonly stopping: AbortSignal;
}

export interface OpsRoute {
  /** Needs no token: the public port tells the same to anyone. */
  readonly open?: true;
  /** Answers, or throws an error with a registered code. */
  handle(exchange: Exchange, query: URLSearchParams): Promise<void>;
}

const maxBodyBytes = 1_024;
const maxBodyDepth = 4;
const profileQuerySchema = z.strictObject({
  kind: z.enum(profileKinds).default('cpu'),
  seconds: z
    .string()
    .regex(/^\d{1,4}$/, 'takes a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(maxProfileSeconds))
    .default(10),
});

/** Everything on the operations port, by method and path. */
export function opsRoutes({ metrics, readiness, log, level, stopping }: OpsRoutesOptions): Readonly<Record<string, OpsRoute>> {
  const profiler = new Profiler();
  return {
    'GET /healthz': { open: true, handle: async ({ res }) => send(res, 'text/plain; charset=utf-8', 'ok\n') },
    'GET /readyz': {
      open: true,
      async handle(exchange) {
        const report = await readiness();
        exchange.answer({ status: report.ready ? 200 : 503, body: report });
      },
    },
    'GET /metrics': { handle: async ({ res }) => send(res, metrics.registry.contentType, await metrics.text()) },
    'GET /ops/log-level': { handle: async (exchange) => void exchange.answer({ status: 200, body: level.state }) },
    'PUT /ops/log-level': {
      async handle(exchange) {
        const body = await readJsonBody(exchange.req, maxBodyBytes, maxBodyDepth, 'operations port');
        exchange.answer({ status: 200, body: level.change(validate(logLevelChangeSchema, body, 'body')) });
      },
    },
    'POST /ops/profile': {
      async handle(exchange, query) {
        if (hasBody(exchange.req)) throw new NudgeError('invalid_request', { detail: 'this route takes no body' });
        const { kind, seconds } = validate(profileQuerySchema, Object.fromEntries(query), 'query');
        const profile = await profiler.take(kind, seconds, AbortSignal.any([exchange.signal, stopping]));
        log.info({ kind, seconds }, 'a profile was taken');
        const file = `${process.pid}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.${kind}profile`;
        exchange.res.setHeader('Content-Disposition', `attachment; filename="${file}"`);
        send(exchange.res, 'application/json', profile);
      },
    },
  };
}

function send(res: ServerResponse, type: string, text: string): void {
  const length = Buffer.byteLength(text);
  res.writeHead(200, { 'Content-Type': type, 'Content-Length': length, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
  res.end(text);
}
