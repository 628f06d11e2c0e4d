import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { eventually } from '../testing/eventually.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { createOpsServer, type OpsServerOptions } from './ops-server.ts';

let stack: AsyncDisposableStack;
let log: Logger;
let lines: string;
const write = (line: string) => {
  lines += line;
};
beforeEach(() => {
  stack = new AsyncDisposableStack();
  lines = '';
  log = createLogger({ name: 'test', destination: { write } });
});
afterEach(() => stack.disposeAsync());

async function start(options: Partial<OpsServerOptions> = {}) {
  const metrics = stack.use(createMetrics());
  const readiness = async () => ({ ready: false, stopping: false, checks: { database: false } });
  const server = stack.use(createOpsServer({ host: '127.0.0.1', port: 0, token: undefined, metrics, readiness, log, ...options }));
  const { url } = await server.start();
  return { url, server, ask: (method: string, path: string, init: RequestInit = {}) => fetch(url + path, { method, ...init }) };
}
const json = (body: unknown) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

it('tells that the process lives, what it lacks, and its metrics', async () => {
  const { ask } = await start();
  expect(await (await ask('GET', '/healthz')).text()).toBe('ok\n');
  const ready = await ask('GET', '/readyz');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({ ready: false, stopping: false, checks: { database: false } });
  const metrics = await ask('GET', '/metrics');
  expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(await metrics.text()).toContain('process_resident_memory_bytes');
  expect((await ask('HEAD', '/metrics')).status).toBe(200);
});

it('answers what it does not have with a problem', async () => {
  const { ask } = await start();
  const unknown = await ask('GET', '/nothing');
  expect(unknown.headers.get('content-type')).toBe('application/problem+json');
  expect(await unknown.json()).toMatchObject({ status: 404, code: 'not_found' });
  const method = await ask('DELETE', '/ops/log-level');
  expect(method.headers.get('allow')).toBe('GET, PUT');
  expect(await method.json()).toMatchObject({ status: 405, code: 'method_not_allowed' });
});

describe('who is let in', () => {
  it('needs the token for everything but the probes', async () => {
    const token = 'a-token-of-operators';
    const { ask } = await start({ token });
    const bearer = (given: string) => ({ headers: { authorization: `Bearer ${given}` } });
    expect((await ask('GET', '/healthz')).status).toBe(200);
    expect((await ask('GET', '/readyz')).status).toBe(503);
    const none = await ask('GET', '/metrics');
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    expect(await none.json()).toMatchObject({ status: 401, code: 'token_missing' });
    for (const wrong of [`${token}x`, token.slice(1), 'x'.repeat(token.length)])
      expect(await (await ask('GET', '/metrics', bearer(wrong))).json()).toMatchObject({ status: 401, code: 'token_invalid' });
    for (const path of ['/ops/profile', '/nothing']) expect((await ask('POST', path)).status).toBe(401);
    expect((await ask('GET', '/metrics', bearer(token))).status).toBe(200);
    expect((await ask('GET', '/ops/log-level', bearer(token))).status).toBe(200);
    expect(lines).not.toContain(token);
  });

  it('without a token keeps out web pages, also those that a name led here', async () => {
    const { url, ask } = await start();
    expect((await ask('PUT', '/ops/log-level', { ...json({ level: 'debug' }), headers: { origin: 'https://evil.example' } })).status).toBe(
      403,
    );
    const status = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        httpRequest(`${url}/metrics`, { headers: { host } }, (res) => {
          res.resume();
          resolve(res.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await status('evil.example:80')).toBe(403);
    for (const host of ['localhost', '127.0.0.1:1', '[::1]:1']) expect(await status(host)).toBe(200);
    expect(log.level).toBe('info');
  });
});

describe('the log level', () => {
  it('changes at once, for children made later too', async () => {
    const { ask } = await start();
    log.debug('quiet');
    expect(await (await ask('GET', '/ops/log-level')).json()).toEqual({ level: 'info' });
    expect(await (await ask('PUT', '/ops/log-level', json({ level: 'debug' }))).json()).toEqual({ level: 'debug' });
    log.child({ requestId: 'a' }).debug('loud');
    expect(lines).toContain('loud');
    expect(lines).not.toContain('quiet');
  });

  it('goes back by itself when told for how long, to what it was before the first change', async () => {
    const clock = new ManualClock();
    const { ask } = await start({ clock });
    const state = await (await ask('PUT', '/ops/log-level', json({ level: 'debug', seconds: 60 }))).json();
    expect(state).toEqual({ level: 'debug', previous: 'info', until: new Date(clock.now() + 60_000).toISOString() });
    await ask('PUT', '/ops/log-level', json({ level: 'trace', seconds: 120 }));
    clock.advance(60_000);
    expect(log.level).toBe('trace');
    clock.advance(60_000);
    expect(await (await ask('GET', '/ops/log-level')).json()).toEqual({ level: 'info' });
  });

  it.each([{ level: 'loud' }, { level: 'info', seconds: 0 }, { level: 'info', more: 1 }, {}])('refuses %o', async (body) => {
    const { ask } = await start();
    const response = await ask('PUT', '/ops/log-level', json(body));
    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_request', issues: [expect.anything()] });
    expect(log.level).toBe('info');
  });
});

/** Something to be found in a profile. */
function burnForProfile(ms: number): unknown[] {
  const kept: unknown[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) kept.push({ text: `${performance.now()}` });
  return kept;
}

describe('profiles', () => {
  it.each(['cpu', 'heap'])('%s: shows what ran meanwhile', async (kind) => {
    const { ask } = await start();
    const taken = ask('POST', `/ops/profile?kind=${kind}&seconds=1`);
    const busy = setInterval(() => kept.push(burnForProfile(20)), 25);
    const kept: unknown[] = [];
    const response = await taken.finally(() => clearInterval(busy));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-disposition')).toMatch(new RegExp(`^attachment; filename="${process.pid}-.*\\.${kind}profile"$`));
    const profile = (await response.json()) as Record<string, unknown>;
    expect(profile).toHaveProperty(kind === 'cpu' ? 'nodes' : 'head');
    expect(JSON.stringify(profile)).toContain('burnForProfile');
    expect(kept.length).toBeGreaterThan(0);
  });

  it('one at a time; one whose client leaves is ended and makes room', async () => {
    const { ask } = await start();
    const gone = new AbortController();
    const first = ask('POST', '/ops/profile?seconds=60', { signal: gone.signal });
    let refused: Response | undefined;
    const busy = async () => {
      refused = await ask('POST', '/ops/profile?kind=heap&seconds=1');
      return refused.status === 429;
    };
    await eventually(busy);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(await refused?.json()).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      detail: expect.stringContaining('one at a time'),
    });
    gone.abort();
    await expect(first).rejects.toThrow();
    await eventually(async () => (await ask('POST', '/ops/profile?kind=heap&seconds=1')).status === 200);
  });

  it('ends with the process', async () => {
    const { ask, server } = await start();
    const taken = ask('POST', '/ops/profile?seconds=60');
    await eventually(async () => (await ask('POST', '/ops/profile?seconds=1')).status === 429);
    await server[Symbol.asyncDispose]();
    expect(await (await taken).json()).toMatchObject({ status: 503, code: 'draining' });
  });

  it.each(['seconds=0', 'seconds=61', 'seconds=1.5', 'seconds=-1', 'seconds=1e1', 'seconds=', 'kind=mem', 'second=5'])(
    'refuses ?%s',
    async (query) => {
      const { ask } = await start();
      const response = await ask('POST', `/ops/profile?${query}`);
      expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_request', issues: [expect.anything()] });
    },
  );
});
