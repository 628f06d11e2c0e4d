import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLogger, createMetrics, RedisBus, RedisConnection, systemClock } from '@nudge/server-kit';
import { selfSigned } from '@nudge/server-kit/testing';
import { openTls } from '../../packages/server-kit/src/tls/tls.ts';

/** Metric -> the labels that it may carry. */
export type KnownMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Put to every series by Prometheus itself. */
const everywhere = ['job', 'instance'];
const startMs = 120_000;

/** What the operations port of a real server tells (it holds all three apps), and what comes with Redis and TLS. */
export async function knownMetrics(): Promise<KnownMetrics> {
  const known = new Map<string, Set<string>>([['up', new Set(everywhere)]]);
  for (const text of [await standaloneMetrics(), await redisAndTlsMetrics()]) read(text, known);
  // A counter with labels shows them only after it has counted.
  known.get('nudge_gateway_handshakes_refused_total')?.add('code');
  known.get('nudge_gateway_disconnects_total')?.add('reason');
  return known;
}

function read(text: string, known: Map<string, Set<string>>): void {
  const labelsOf = (name: string) => {
    const labels = known.get(name) ?? new Set(everywhere);
    known.set(name, labels);
    return labels;
  };
  for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    for (const series of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) labelsOf(name + series);
  }
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) labelsOf(name).add(label);
  }
}

async function standaloneMetrics(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'nudge-check-deploy-'));
  const main = fileURLToPath(new URL('../../apps/standalone/src/main.ts', import.meta.url));
  const env = { PATH: process.env.PATH, DATA_DIR: dir, PORT: '0', OPS_PORT: '0', LOG_LEVEL: 'error' };
  const child = spawn(process.execPath, ['--conditions=@nudge/source', '--disable-warning=ExperimentalWarning', main], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    const signal = AbortSignal.timeout(startMs);
    for await (const line of createInterface({ input: child.stdout, signal })) {
      const url = /^Metrics of this process: +(\S+)$/.exec(line)?.[1];
      if (url !== undefined) return await (await fetch(url)).text();
    }
    throw new Error('the standalone server ended before it told where its metrics are');
  } finally {
    child.kill('SIGTERM');
    const killer = new AbortController();
    await Promise.race([ended, delay(15_000, undefined, { signal: killer.signal }).then(() => child.kill('SIGKILL'))]);
    killer.abort();
    await ended;
    await rm(dir, { recursive: true, force: true });
  }
}

async function redisAndTlsMetrics(): Promise<string> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'nudge-check-deploy-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const log = createLogger({ name: 'check-deploy', level: 'silent' });
  const metrics = stack.use(createMetrics());
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  const pair = selfSigned('check-deploy');
  await writeFile(files.cert, pair.cert);
  await writeFile(files.key, pair.key);
  stack.use(await openTls({ files, log, metrics, clock: systemClock }));
  // Not connected: what it counts is registered all the same.
  const connection = stack.use(new RedisConnection({ url: 'redis://127.0.0.1:1', log, metrics }));
  stack.use(new RedisBus({ connection, log, metrics }));
  return metrics.text();
}
