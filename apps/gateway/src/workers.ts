import { fileURLToPath } from 'node:url';
import { createLogger, describeEnd, type Environment, type ProcessEvent, SupervisedProcess } from '@nudge/server-kit';
import type { WorkersConfig } from './config.ts';

const script = fileURLToPath(new URL('main.ts', import.meta.url));

/**
 * Several gateways on one machine, each a process of its own: one that dies is started again and its siblings never notice. Disposing drains all at
 * once. Rejects, and leaves nothing running, when one does not start.
 */
export async function startWorkers({ workers, stopMs, logLevel, logFormat }: WorkersConfig): Promise<AsyncDisposable> {
  const log = createLogger({ name: 'nudge-gateway-workers', level: logLevel, pretty: logFormat === 'pretty' });
  const started: SupervisedProcess[] = [];
  const stop = async () => {
    await Promise.all(started.map((worker) => worker.stop()));
  };
  const tell = (worker: number, event: ProcessEvent) => {
    if (event.type === 'ended')
      log.error({ worker, workerPid: event.pid, restartInMs: event.restartInMs }, `a worker ended ${describeEnd(event.end)}`);
    else if (event.type === 'failed')
      log.error({ worker, restartInMs: event.restartInMs, err: event.error }, 'a worker could not be started again');
    else log.info({ worker, workerPid: event.pid }, event.again ? 'a worker is back' : 'a worker serves');
  };
  const results = await Promise.allSettled(
    workers.map(async ({ number, env }) => {
      const worker = await SupervisedProcess.start({
        name: `worker ${number}`,
        command: [process.execPath, ...process.execArgv, script],
        env,
        check: () => ready(env),
        stopMs,
        onLine: (line) => process.stdout.write(`${line}\n`),
        onEvent: (event) => tell(number, event),
      });
      started.push(worker);
    }),
  );
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return { [Symbol.asyncDispose]: stop };
}

/** By the operations port: each worker has one of its own, also where they share the public port. */
async function ready({ OPS_HOST, OPS_PORT, OPS_TOKEN }: Environment): Promise<boolean> {
  const host = OPS_HOST === undefined || OPS_HOST === '0.0.0.0' || OPS_HOST === '::' ? '127.0.0.1' : OPS_HOST;
  const headers = OPS_TOKEN === undefined ? {} : { authorization: `Bearer ${OPS_TOKEN}` };
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${OPS_PORT}/readyz`;
  return (await fetch(url, { headers, signal: AbortSignal.timeout(2_000) })).ok;
}
