import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { freePorts } from '../support/free-ports.ts';
import { type Child, startChild } from '../support/process.ts';
import { waitFor } from '../support/wait-for.ts';
import { isAlive } from './support/alive.ts';
import { Crowd } from './support/crowd.ts';
import { type Stack, startStack } from './support/stack.ts';

const script = new URL('../../apps/gateway/src/main.ts', import.meta.url).pathname;
const workers = Math.max(2, Math.min(3, availableParallelism()));

async function startWorkers(stack: Stack, port: number, env: Readonly<Record<string, string>> = {}): Promise<Child> {
  return startChild({
    script,
    env: {
      DATABASE_URL: stack.database.connectionString,
      REDIS_URL: `redis://127.0.0.1:${stack.network.port}`,
      PORT: String(port),
      OPS_PORT: String(port + 10),
      GATEWAY_WORKERS: String(workers),
      ...env,
    },
  });
}

/** Pids of the workers by their number, once all serve. */
async function serving(child: Child): Promise<number[]> {
  const pids = new Map<number, number>();
  await waitFor(
    'the workers',
    () => {
      for (const line of child.lines) {
        const [, worker, pid] = /"worker":(\d+),"workerPid":(\d+),"msg":"a worker serves"/.exec(line) ?? [];
        if (worker !== undefined) pids.set(Number(worker), Number(pid));
      }
      return pids.size === workers;
    },
    { timeoutMs: 60_000 },
  );
  return Array.from({ length: workers }, (_, at) => pids.get(at + 1) ?? 0);
}

async function dispatched(stack: Stack): Promise<string[]> {
  const reply = await httpClient(stack.url).call('listGateways', { token: stack.app.token('ann'), query: { network: 'wifi' } });
  return reply
    .ok(200)
    .gateways.map(({ url }) => url)
    .sort();
}

async function live(port: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: workers }, async (_, at) => {
      const text = await (await fetch(`http://127.0.0.1:${port + 10 + at}/metrics`)).text();
      return Number(/^nudge_gateway_sessions_live(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]);
    }),
  );
}

test('workers on a range of ports: each is a gateway of the dispatcher, one that dies is replaced, all drain together', async () => {
  await using stack = await startStack({ count: { gateway: 0, sync: 1, api: 1 }, users: ['ann'] });
  const port = await freePorts(24);
  const urls = Array.from({ length: workers }, (_, at) => `http://127.0.0.1:${port + at}`);
  await using child = await startWorkers(stack, port);
  const pids = await serving(child);
  expect(new Set(pids).size).toBe(workers);
  await waitFor('every worker in the directory', async () => (await dispatched(stack)).join() === urls.join(), { timeoutMs: 20_000 });

  using crowd = new Crowd(
    Array.from({ length: 20 }, (_, n) => ({ token: stack.app.token(`u${n}`), deviceId: 'phone' })),
    () => urls[1] ?? '',
  );
  await crowd.connect(1_000);
  await waitFor('the crowd', () => crowd.welcomed === 20);
  expect(await live(port), 'they are where they were sent').toEqual(urls.map((_, at) => (at === 1 ? 20 : 0)));

  const [victim = 0] = pids;
  process.kill(victim, 'SIGKILL');
  await child.waitForLine(new RegExp(`"workerPid":${victim},.*a worker ended by SIGKILL`));
  await child.waitForLine(/a worker is back/, 60_000);
  expect(crowd.welcomed, 'the siblings did not notice').toBe(20);

  expect(crowd.moves).toEqual([]);
  const began = performance.now();
  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  console.log(`workers: drained within ${Math.round(performance.now() - began)} ms`);
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(crowd.moves.length, 'all were told to move').toBeGreaterThanOrEqual(20);
  expect(
    crowd.moves.filter((target) => target !== undefined && urls.includes(target)),
    'none to another worker that stops too',
  ).toEqual([]);
  // The entry of the one that was killed ends with its time; the others took theirs out.
  await waitFor('none of them to be in the directory', async () => (await dispatched(stack)).every((url) => !urls.includes(url)), {
    timeoutMs: 30_000,
  });
}, 180_000);

test('workers on one port: one address for the dispatcher, and the system spreads connections over them', async () => {
  await using stack = await startStack({ count: { gateway: 0, sync: 1, api: 1 }, users: ['ann'] });
  const port = await freePorts(24);
  const url = `http://127.0.0.1:${port}`;
  await using child = await startWorkers(stack, port, { GATEWAY_WORKER_PORTS: 'shared' });
  await serving(child);
  await waitFor('the address in the directory', async () => (await dispatched(stack)).join() === url, { timeoutMs: 20_000 });
  using crowd = new Crowd(
    Array.from({ length: 60 }, (_, n) => ({ token: stack.app.token(`u${n}`), deviceId: 'phone' })),
    () => url,
  );
  await crowd.connect(1_000);
  await waitFor('the crowd', () => crowd.welcomed === 60);
  const spread = await live(port);
  console.log(`workers on one port: ${spread.join(' + ')}`);
  expect(spread.reduce((sum, one) => sum + one)).toBe(60);
  expect(Math.min(...spread), 'each has some').toBeGreaterThan(0);
  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
}, 180_000);

test('the workers end when their launcher dies without a word', async () => {
  await using stack = await startStack({ count: { gateway: 0, sync: 1, api: 1 } });
  await using child = await startWorkers(stack, await freePorts(24));
  const pids = await serving(child);
  await child.kill('SIGKILL');
  await waitFor('the workers to end', () => pids.every((pid) => !isAlive(pid)), { timeoutMs: 30_000 });
}, 120_000);
