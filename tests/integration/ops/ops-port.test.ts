import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { freePorts } from '../../support/free-ports.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { launch, startApp } from './support/app-process.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

describe.each(['api', 'sync', 'gateway'] as const)('%s', (app) => {
  it('can be looked into while it runs: probes, metrics, log level, profile', async () => {
    await using running = await startApp(app, database);
    const { child, url, opsUrl, ops } = running;
    expect(new URL(opsUrl).hostname).toBe('127.0.0.1');
    expect(new URL(opsUrl).port).not.toBe(new URL(url).port);
    expect(await (await ops('GET', '/healthz')).text()).toBe('ok\n');
    expect(await (await ops('GET', '/readyz')).json()).toMatchObject({ ready: true, stopping: false });
    expect(await (await ops('GET', '/metrics')).text()).toMatch(/^process_resident_memory_bytes \d+/m);
    for (const path of ['/metrics', '/ops/log-level', '/ops/profile']) expect((await fetch(url + path)).status, path).toBe(404);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);

    const lines = () => child.lines.filter((line) => line.includes('"level":"debug"')).length;
    expect(lines()).toBe(0);
    expect(await (await ops('PUT', '/ops/log-level', { level: 'debug', seconds: 60 })).json()).toMatchObject({ level: 'debug' });
    // Gateways serve no routes that would log.
    const path = { api: '/v1/gateways', sync: '/v1/sync/conversations', gateway: undefined }[app];
    if (path !== undefined) {
      expect((await fetch(url + path, { headers: { authorization: 'Bearer none' } })).status).toBeGreaterThanOrEqual(400);
      await waitFor('a line at the new level', () => lines() > 0);
    }

    const profile = ops('POST', '/ops/profile?kind=cpu&seconds=1');
    expect((await fetch(`${url}/healthz`)).status, 'it serves meanwhile').toBe(200);
    const taken = await profile;
    expect(taken.headers.get('content-disposition')).toContain(`filename="${child.pid}-`);
    expect(await taken.json()).toHaveProperty('samples');
    expect(await (await ops('POST', '/ops/profile?kind=heap&seconds=1')).json()).toHaveProperty('head.selfSize');
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

it('a profile that is being taken does not hold up the end of the process', async () => {
  await using running = await startApp('sync', database);
  const profile = running.ops('POST', '/ops/profile?seconds=60');
  await waitFor('it to be taken', async () => (await running.ops('POST', '/ops/profile?seconds=1')).status === 429);
  const startedAt = performance.now();
  expect(await running.child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt, 'ms').toBeLessThan(10_000);
  expect((await profile).status).toBe(503);
});

it('beyond loopback everything but the probes needs the token, which reaches no log', async () => {
  const token = 'canary-of-the-operators';
  await using running = await startApp('sync', database, { OPS_HOST: '0.0.0.0', OPS_TOKEN: token, LOG_LEVEL: 'trace' });
  const { opsUrl, child } = running;
  expect((await fetch(`${opsUrl}/readyz`)).status).toBe(200);
  expect((await fetch(`${opsUrl}/metrics`)).status).toBe(401);
  expect((await fetch(`${opsUrl}/metrics`, { headers: { authorization: `Bearer ${token}!` } })).status).toBe(401);
  expect((await fetch(`${opsUrl}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
  await child.kill('SIGTERM');
  expect(child.lines.join('\n')).not.toContain(token);
});

it.each([
  ['OPS_TOKEN is required when OPS_HOST is not loopback', { OPS_HOST: '0.0.0.0' }],
  ['OPS_TOKEN takes', { OPS_TOKEN: 'short' }],
  ['OPS_PORT takes', { OPS_PORT: '99999' }],
])('a start that is refused: %s', async (message, env) => {
  await using child = await launch('sync', { DATABASE_URL: database.connectionString, ...env });
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(child.lines.join('\n')).toContain(message);
});

it('OPS_PORT fixes the port; a second process on it says so and ends', async () => {
  const free = await freePorts(1);
  await using first = await startApp('sync', database, { OPS_PORT: String(free) });
  expect(new URL(first.opsUrl).port).toBe(String(free));
  await using second = await launch('sync', { DATABASE_URL: database.connectionString, OPS_PORT: String(free) });
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.lines.join('\n')).toMatch(new RegExp(`EADDRINUSE.*:${free}`));
});

it('two standalone servers on one machine do not collide, and say where their operations ports are', async () => {
  const urls = new Set<string>();
  await using stack = new AsyncDisposableStack();
  for (const _ of [1, 2]) {
    const dir = stack.use(await createTempDir('ops'));
    const own = stack.use(await createTestDatabase());
    const child = stack.use(await launch('standalone', { DATA_DIR: dir.path, DATABASE_URL: own.connectionString }));
    const [, metrics = ''] = await child.waitForLine(/^Metrics of this process: +(\S+)$/, 60_000);
    expect(await (await fetch(metrics)).text()).toContain('nudge_gateway_sessions');
    urls.add(metrics);
  }
  expect(urls.size).toBe(2);
}, 120_000);
