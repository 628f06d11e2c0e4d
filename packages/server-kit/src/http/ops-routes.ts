import express from 'express';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';

/** Something this process needs before it can serve. */
export interface ReadyCheck {
  readonly name: string;
  /** True when it is there; false or a rejection when not. */
  check(): boolean | Promise<boolean>;
}

export interface OpsOptions {
  readonly metrics: Metrics;
  readonly ready: readonly ReadyCheck[];
}

/** Longest wait for one check, ms: a probe must not hang with what it probes. */
const checkTimeoutMs = 2_000;

/** For those who run the server: `/healthz` (the process lives), `/readyz` (it can serve and does not stop), `/metrics` (Prometheus). */
export function opsRoutes(
  options: OpsOptions & {
    readonly stopping: () => boolean;
    readonly log: Logger;
  },
): express.Router {
  const { metrics, ready, stopping, log } = options;
  const router = express.Router({ caseSensitive: true, strict: true });
  router.get('/healthz', (_req, res) => void res.type('text/plain').send('ok\n'));
  router.get('/readyz', async (_req, res) => {
    const results = await Promise.all(ready.map(async (check) => [check.name, await passes(check, log)] as const));
    const isReady = !stopping() && results.every(([, passed]) => passed);
    res.status(isReady ? 200 : 503).json({
      ready: isReady,
      stopping: stopping(),
      checks: Object.fromEntries(results),
    });
  });
  router.get('/metrics', async (_req, res) => {
    const text = await metrics.text();
    res.type(metrics.registry.contentType).send(text);
  });
  return router;
}

async function passes(check: ReadyCheck, log: Logger): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), checkTimeoutMs);
  try {
    return await Promise.race([check.check(), timeout.promise]);
  } catch (error) {
    log.debug({ err: error, check: check.name }, 'not ready');
    return false;
  } finally {
    clearTimeout(timer);
  }
}
