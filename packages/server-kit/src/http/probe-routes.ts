import express from 'express';
import type { ReadyReport } from '../ops/readiness.ts';

/** What a balancer asks on the public port: `/healthz` (the process lives), `/readyz` (it can serve and does not stop). */
export function probeRoutes(readiness: () => Promise<ReadyReport>): express.Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  router.get('/healthz', (_req, res) => void res.type('text/plain').send('ok\n'));
  router.get('/readyz', async (_req, res) => {
    const report = await readiness();
    res.status(report.ready ? 200 : 503).json(report);
  });
  return router;
}
