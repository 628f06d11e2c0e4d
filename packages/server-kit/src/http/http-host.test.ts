import { connect } from 'node:net';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer, type TestServer, type TestServerOptions } from '../testing/fixtures/test-server.ts';
import { eventually } from '../testing/index.ts';

let server: TestServer | undefined;
const start = async (options: TestServerOptions = {}) => {
  server = await startServer(options);
  return server;
};
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});
const head = (token: string, ...headers: string[]) =>
  [`POST /v1/echo/a HTTP/1.1`, 'Host: x', `Authorization: Bearer ${token}`, 'Content-Type: application/json', ...headers, '', ''].join(
    '\r\n',
  );

describe('for those who run it', () => {
  it('tells that it lives and whether it is ready, and keeps its metrics to itself', async () => {
    let ready = true;
    const { url, request, metrics } = await start({
      ready: [
        { name: 'database', check: async () => ready },
        {
          name: 'bus',
          check: () => {
            if (!ready) throw new Error('canary');
            return true;
          },
        },
      ],
    });
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ ready: true, stopping: false, checks: { database: true, bus: true } });
    ready = false;
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false, stopping: false, checks: { database: false, bus: false } });
    await request('/v1/wait');
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    expect(await metrics()).toContain('nudge_http_request_seconds_count{route="wait",status="200"} 1');
  });

  it('serves pages beside the routes, under a policy, without saying what it is made of', async () => {
    const pages = express.Router();
    pages.get('/', (_req, res) => void res.send('<p>hello'));
    pages.get('/broken', () => {
      throw new Error('canary');
    });
    const { url, logged } = await start({ extra: [pages] });
    const response = await fetch(url);
    expect(await response.text()).toBe('<p>hello');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(response.headers.has('x-powered-by')).toBe(false);
    const broken = await fetch(`${url}/broken`);
    expect(broken.status).toBe(500);
    expect(await broken.text()).not.toContain('canary');
    expect(logged()).not.toContain('canary');
  });
});

describe('pages of other origins', () => {
  const from = (origin: string) => ({ headers: { origin } });

  it('may read the answers when their origin is allowed', async () => {
    const { request, url } = await start();
    const response = await request('/v1/wait', from('https://app.example'));
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(response.headers.get('access-control-expose-headers')).toContain('Retry-After');
    expect(response.headers.get('vary')).toBe('Origin');
    expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    expect(response.headers.get('ratelimit-limit')).toBe('1500');
    expect((await request('/v1/wait', from(url))).headers.get('access-control-allow-origin')).toBe(url);
    expect((await request('/v1/nothing', from('https://app.example'))).headers.get('access-control-allow-origin')).toBe(
      'https://app.example',
    );
  });

  it('may not when it is foreign', async () => {
    const { request } = await start();
    for (const origin of ['https://evil.example', 'null']) {
      const response = await request('/v1/wait', from(origin));
      expect(response.headers.has('access-control-allow-origin')).toBe(false);
      expect(response.headers.get('vary')).toBe('Origin');
    }
  });

  it('ask before they send', async () => {
    const { url } = await start();
    const ask = (origin: string) =>
      fetch(`${url}/v1/echo/a`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await ask('https://app.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(allowed.headers.get('access-control-allow-methods')).toContain('PATCH');
    const foreign = await ask('https://evil.example');
    expect([...foreign.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('what is no proper request', () => {
  it.each([
    ['garbage', 'garbage\r\n\r\n', 400],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['a space in a header name', 'GET /healthz HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    ['a length and chunks', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a negative length', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', 400],
    ['40 KiB of headers', `GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(40_000)}\r\n\r\n`, 431],
    ['a tunnel', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n', 405],
    ['an expectation that is none', 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: miracles\r\n\r\n', 417],
  ])('%s', async (_, text, status) => {
    const { raw, url } = await start();
    expect(await raw(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('chunks that are none break the request off', async () => {
    const { raw, token, url } = await start();
    expect(await raw(head(token, 'Transfer-Encoding: chunked'), 'zz\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('a body that never comes is 408', async () => {
    const { raw, token, logged } = await start({ timeouts: { requestMs: 200, headersMs: 150 } });
    expect(await raw(head(token, 'Content-Length: 100'), '{"text":')).toMatch(/^HTTP\/1.1 408 /);
    await eventually(() => logged().includes('"status":499'));
  });

  it('a head that never comes is 408', async () => {
    const { raw } = await start({ timeouts: { requestMs: 200, headersMs: 150 } });
    expect(await raw('GET /healthz HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1.1 408 /);
  });

  it('is closed when it is silent for too long, after an answer as before the first request', async () => {
    const { raw, token } = await start({ timeouts: { idleMs: 200 } });
    // One that was read too late is closed without an answer.
    const answered = await eventually(() => raw(`GET /v1/wait HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`));
    expect(answered).toMatch(/^HTTP\/1.1 200 .*\r\nKeep-Alive: timeout=70\r\n/s);
    expect(await raw('')).toBe('');
  });

  it('chunks that never end are 413, then cut off', async () => {
    const { token, url } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    let received = '';
    let sent = 0;
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      received += data.toString();
    });
    socket.write(head(token, 'Transfer-Encoding: chunked'));
    const pump = () => {
      while (!socket.destroyed && sent < 64 * 1024 * 1024) {
        sent += chunk.length;
        if (!socket.write(chunk)) {
          socket.once('drain', pump);
          return;
        }
      }
    };
    pump();
    await closed;
    expect(received).toMatch(/^HTTP\/1.1 413 .*"code":"too_large"/s);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('a client that asks before it sends is told to go on', async () => {
    const { raw, token } = await start();
    const answer = await raw(head(token, 'Connection: close', 'Expect: 100-continue', 'Content-Length: 12'), '{"text":"x"}');
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });

  it('a client that leaves amid its body costs nothing', async () => {
    const { token, url, logged, metrics } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`${head(token, 'Content-Length: 100')}{"text"`);
    await eventually(async () => (await metrics()).includes('nudge_http_requests_in_flight 1'));
    socket.destroy();
    await eventually(() => logged().includes('"status":499'));
    await eventually(async () => (await metrics()).includes('nudge_http_requests_in_flight 0'));
    expect(logged()).not.toContain('"level":"error"');
  });

  it('several requests on one connection are answered in order, whatever became of each', async () => {
    const { raw, token } = await start();
    const get = (path: string, ...more: string[]) =>
      [`GET ${path} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${token}`, ...more, '', ''].join('\r\n');
    const refused = `${head(token, 'Content-Length: 3')}{"}`;
    const answer = await raw(get('/v1/wait') + refused + get('/v1/nothing') + get('/v1/wait', 'Connection: close'));
    expect([...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map((match) => match[1])).toEqual(['200', '400', '404', '200']);
  });
});

it('reaches no log with a token, a body or a query, whatever happens to them', async () => {
  const canary = 'canary7d1f';
  const { request, raw, token, logged, serverKey } = await start({
    failures: { quote: () => new Error(`could not store ${canary}`), syntax: () => new SyntaxError(`Unexpected token ${canary}`) },
  });
  const json = { 'content-type': 'application/json' };
  await request(`/v1/echo/a?q=${canary}`, { method: 'POST', headers: json, body: JSON.stringify({ text: canary }) });
  await request(`/v1/echo/a?${canary}=1`, { method: 'POST', headers: json, body: JSON.stringify({ text: canary, [canary]: 1 }) });
  await request('/v1/echo/a', { method: 'POST', headers: json, body: `{"text":"${canary}"` });
  await request('/v1/echo/a', { method: 'POST', headers: { 'content-type': canary }, body: canary });
  await request(`/v1/fail?how=quote&x=${canary}`);
  await request('/v1/fail?how=quote');
  await request('/v1/fail?how=syntax');
  await request(`/${canary}/%ff`);
  await request('/v1/wait', { headers: { authorization: `Bearer ${canary}` } });
  await request('/v1/admin/thing', { method: 'PUT', headers: { authorization: `Bearer ${serverKey}` } });
  await raw(`${canary}\r\n\r\n`);
  await eventually(() => logged().includes('the request failed'));
  expect(logged()).toContain('"route":"echo"');
  for (const secret of [canary, token.split('.')[1] ?? '', token.split('.')[2] ?? '', serverKey.slice(-64)])
    expect(logged()).not.toContain(secret);
});

describe('when it stops', () => {
  it('finishes what it works on, closes idle connections and takes no new ones', async () => {
    const barrier = Promise.withResolvers<void>();
    let waiting = false;
    const { request, host, url } = await start({
      wait: () => {
        waiting = true;
        return barrier.promise;
      },
    });
    await request('/v1/nothing');
    const inFlight = request('/v1/wait');
    await eventually(() => waiting);
    const stopped = host[Symbol.asyncDispose]();
    await eventually(async () => {
      try {
        await fetch(`${url}/healthz`);
        return false;
      } catch {
        return true;
      }
    });
    barrier.resolve();
    expect((await inFlight).status).toBe(200);
    await stopped;
    expect(host.server.listening).toBe(false);
  });

  it('cuts what does not end in time', async () => {
    let waiting = false;
    const { request, host, logged } = await start({
      timeouts: { stopMs: 50 },
      wait: () => {
        waiting = true;
        return new Promise(() => undefined);
      },
    });
    const cut = request('/v1/wait').catch((error: unknown) => error);
    await eventually(() => waiting);
    await host[Symbol.asyncDispose]();
    expect(await cut).toBeInstanceOf(Error);
    expect(logged()).toContain('connections were cut');
  });

  it('may be told so before it started, and twice', async () => {
    const { host } = await start();
    await host[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });
});

it('says that it cannot listen', async () => {
  const { host } = await start();
  await expect(host.start()).rejects.toThrow();
});
