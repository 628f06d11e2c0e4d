import { problemSchema } from '@nudge/types';
import { afterEach, describe, expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { startServer, type TestServer, type TestServerOptions } from '../testing/fixtures/test-server.ts';
import { eventually } from '../testing/index.ts';

type Body = NonNullable<RequestInit['body']>;

describe.each(['hot', 'express'] as const)('a request that came in by %s', (mount) => {
  let server: TestServer | undefined;
  const start = async (options: TestServerOptions = {}) => {
    server = await startServer({ mount, ...options });
    return server;
  };
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    server = undefined;
  });
  const post = (body: Body, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  const problem = async (response: Response) => {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const body = problemSchema.parse(await response.json());
    expect(body).toMatchObject({ status: response.status, requestId: response.headers.get('x-request-id') });
    return body;
  };

  it('is read, answered and labelled', async () => {
    const { request } = await start();
    const response = await request(
      '/v1/echo/a%20b?q=c+d',
      post('{"text":"ü","list":[1]}', { 'content-type': 'application/json; charset=utf-8' }),
    );
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      params: { id: 'a b' },
      query: { q: 'c d' },
      body: { text: 'ü', list: [1] },
      user: 'alice',
      requestId: response.headers.get('x-request-id'),
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'keep-alive': 'timeout=70',
      'x-content-type-options': 'nosniff',
      'ratelimit-limit': '300',
      'ratelimit-remaining': '299',
      'ratelimit-reset': '1',
    });
    expect(response.headers.get('content-length')).toMatch(/^\d+$/);
  });

  it('has an id of its own, or the one that a client gave in the right form', async () => {
    const { request } = await start();
    const idFor = async (given?: string) =>
      (await request('/v1/wait', given ? { headers: { 'x-request-id': given } } : {})).headers.get('x-request-id');
    expect(await idFor('my-id.1_A')).toBe('my-id.1_A');
    const made = [await idFor(), await idFor(), await idFor('a b'), await idFor('x'.repeat(65)), await idFor('"><script>')];
    expect(new Set(made).size).toBe(5);
    for (const id of made) expect(id).toMatch(/^[A-Za-z0-9]{8}-\w+$/);
  });

  it('may name its target with scheme and host', async () => {
    const { raw, token } = await start();
    const headers = `Host: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n`;
    const answer = await raw(`POST http://x/v1/echo/abc?q=d HTTP/1.1\r\n${headers}\r\n{"text":"x"}`);
    expect(answer).toMatch(/^HTTP\/1.1 200 .*"params":\{"id":"abc"\},"query":\{"q":"d"\}/s);
  });

  it('gets JSON text passed through, counted in bytes', async () => {
    const { request } = await start();
    for (const [id, text] of [
      ['text', '{"ü":1}'],
      ['buffer', '{"ü":2}'],
      ['text', '{"ü":1}'],
    ]) {
      const response = await request(`/v1/pages/${id}`);
      expect(response.headers.get('content-length')).toBe('8');
      expect(await response.text()).toBe(text);
    }
  });

  it('is told which fields are wrong', async () => {
    const { request } = await start();
    const wrong = await problem(await request('/v1/echo/much-too-long', post('{"text":1}')));
    expect(wrong).toMatchObject({ code: 'invalid_request', status: 400, issues: [{ path: 'params.id' }] });
    const body = await problem(await request('/v1/echo/a', post('{"text":1,"list":[1,"x"],"extra":1}')));
    expect(body.issues?.map((issue) => issue.path)).toEqual(['body.text', 'body.list.1', 'body']);
    expect((await problem(await request('/v1/echo/a?r=1', post('{"text":"x"}')))).issues).toMatchObject([{ path: 'query' }]);
    expect((await problem(await request('/v1/echo/a?q=1&q=2', post('{"text":"x"}')))).issues).toMatchObject([{ path: 'query' }]);
    expect((await problem(await request('/v1/echo/%ff', post('{"text":"x"}')))).code).toBe('invalid_request');
    expect((await problem(await request('/v1/echo/a', { method: 'POST' }))).issues).toMatchObject([{ path: 'body' }]);
  });

  it('may leave an optional body away', async () => {
    const { request } = await start();
    expect(await (await request('/v1/optional', { method: 'POST' })).json()).toEqual({ body: null });
    expect(await (await request('/v1/optional', post('{"a":1}'))).json()).toEqual({ body: { a: 1 } });
  });

  it.each<[string, Record<string, string>, string]>([
    ['no credential', { authorization: '' }, 'token_missing'],
    ['another scheme', { authorization: 'Basic YTpi' }, 'token_missing'],
    ['an empty bearer', { authorization: 'Bearer ' }, 'token_missing'],
    ['garbage', { authorization: 'Bearer garbage' }, 'token_invalid'],
  ])('with %s is 401', async (_, headers, code) => {
    const { request } = await start();
    const response = await request('/v1/wait', { headers });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await problem(response)).toMatchObject({ status: 401, code });
  });

  it('keeps users and servers apart', async () => {
    const { request, serverKey } = await start();
    const asServer = { authorization: `bearer ${serverKey}` };
    expect((await problem(await request('/v1/wait', { headers: asServer }))).code).toBe('token_invalid');
    expect((await problem(await request('/v1/admin/thing', { method: 'PUT' }))).code).toBe('token_invalid');
    expect(await (await request('/v1/admin/thing', { method: 'PUT', headers: asServer })).json()).toEqual({
      appId: 'demo',
      kid: 'demo.2',
      scopes: ['all'],
    });
  });

  it('needs no credential where none is asked for', async () => {
    const { url } = await start();
    expect((await fetch(`${url}/v1/open`)).status).toBe(200);
  });

  it('is told that its token expired', async () => {
    const { request, clock } = await start();
    expect((await request('/v1/wait')).status).toBe(200);
    clock.advance(1_800_000);
    await eventually(() => clock.pending === 1);
    expect((await problem(await request('/v1/wait'))).code).toBe('database_unavailable');
    clock.advance(1_795_000);
    await eventually(() => clock.pending === 1);
    clock.advance(5_000);
    await eventually(async () => (await problem(await request('/v1/wait'))).code === 'token_expired');
  });

  it.each<[string, () => unknown, object]>([
    ['a known failure', () => new NudgeError('not_found'), { status: 404, code: 'not_found' }],
    ['its detail', () => new NudgeError('muted', { detail: 'until noon' }), { status: 403, detail: 'until noon' }],
    [
      'one of another package',
      () => Object.assign(new Error('canary'), { problemCode: 'database_unavailable' }),
      { status: 503, retryable: true },
    ],
    ['an unknown one', () => new Error('canary'), { status: 500, code: 'internal' }],
    ['something that is no error', () => 'canary', { status: 500, code: 'internal' }],
  ])('that fails is answered by %s', async (_, failure, expected) => {
    const { request, logged } = await start({ failures: { it: failure } });
    const answer = await problem(await request('/v1/fail?how=it'));
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toContain('canary');
    expect(logged()).not.toContain('canary');
    if (answer.code === 'internal') expect(logged()).toContain(answer.requestId);
  });

  it.each([
    ['overloaded', 1_500, '2'],
    ['slow_mode', 200, '1'],
    ['not_caught_up', undefined, '1'],
  ] as const)('refused as %s is told when to come back', async (code, retryAfterMs, seconds) => {
    const { request } = await start({ failures: { it: () => new NudgeError(code, { retryAfterMs }) } });
    expect((await request('/v1/fail?how=it')).headers.get('retry-after')).toBe(seconds);
  });

  it('is limited in rate, per user and kind of route', async () => {
    const { request, clock } = await start({ limits: { readsPer10Seconds: 2 } });
    expect((await request('/v1/wait')).headers.get('ratelimit-remaining')).toBe('1');
    expect((await request('/v1/wait')).headers.get('ratelimit-remaining')).toBe('0');
    const refused = await request('/v1/wait');
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(await problem(refused)).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      detail: expect.stringContaining('readsPer10Seconds'),
    });
    expect((await request('/v1/echo/a', post('{"text":"x"}'))).status).toBe(200);
    clock.advance(5_000);
    expect((await request('/v1/wait')).status).toBe(200);
  });

  it('is answered above its rate when it only repeats, as many times as the rate allows', async () => {
    const { request } = await start({ limits: { marksPer10Seconds: 3 } });
    const again = async (body: string) => (await request('/v1/again', post(body))).status;
    for (let n = 0; n < 3; n += 1) expect(await again('{"id":"new"}')).toBe(201);
    expect(await again('{"id":"known"}')).toBe(200);
    expect(await again('{"id":"new"}')).toBe(429);
    expect(await again('{"id":1}')).toBe(429);
    expect(await again('{"id":"known"}')).toBe(429);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('redis is down'))],
    [
      'throws',
      () => {
        throw new Error('redis is down');
      },
    ],
  ])('is served while the limiter %s', async (_, consume) => {
    const { request, logged } = await start({ limiter: { consume } });
    expect((await request('/v1/wait')).status).toBe(200);
    expect((await request('/v1/wait')).headers.has('ratelimit-limit')).toBe(false);
    expect(logged().split('requests are not limited')).toHaveLength(2);
  });

  it('is refused when too many are in work, and counted out again', async () => {
    const barrier = Promise.withResolvers<void>();
    let waiting = 0;
    const { request } = await start({
      limits: { requestsInFlight: 1 },
      wait: () => {
        waiting++;
        return barrier.promise;
      },
    });
    const first = request('/v1/wait');
    await eventually(() => waiting === 1);
    expect(await problem(await request('/v1/wait'))).toMatchObject({ code: 'overloaded', status: 503 });
    barrier.resolve();
    expect((await first).status).toBe(200);
    expect((await request('/v1/wait')).status).toBe(200);
  });

  it('waits until its user is admitted', async () => {
    let admitted = 0;
    const { request } = await start({
      ensure: async () => {
        if (++admitted === 1) throw new NudgeError('database_unavailable');
      },
    });
    expect((await problem(await request('/v1/wait'))).code).toBe('database_unavailable');
    expect((await request('/v1/wait')).status).toBe(200);
  });

  it('tells its handler when the client leaves', async () => {
    const left = Promise.withResolvers<void>();
    let waiting = false;
    const { request, logged } = await start({
      wait: async ({ signal }) => {
        signal.addEventListener('abort', () => left.resolve());
        waiting = true;
        await left.promise;
        throw new Error('too late');
      },
    });
    const abort = new AbortController();
    const gone = request('/v1/wait', { signal: abort.signal }).catch((error: unknown) => error);
    await eventually(() => waiting);
    abort.abort();
    await left.promise;
    expect(await gone).toBeInstanceOf(Error);
    await eventually(() => logged().includes('"status":499'));
  });

  it('is compared exactly: case, slashes and methods', async () => {
    const { request } = await start();
    for (const path of ['/V1/wait', '/v1/wait/', '//v1/wait', '/v1/echo/', '/v1/echo', '/', '/nothing']) {
      expect((await problem(await request(path))).code).toBe('not_found');
    }
    const response = await request('/v1/echo/a', { method: 'DELETE' });
    expect(response.headers.get('allow')).toBe('POST');
    expect(await problem(response)).toMatchObject({ code: 'method_not_allowed', status: 405 });
    const head = await request('/v1/wait', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '2', '']);
  });

  describe('with a hostile body', () => {
    it.each<[string, Body, Record<string, string>, number, string]>([
      ['no content type', new Blob(['{"text":"x"}']), { 'content-type': '' }, 415, 'unsupported_media_type'],
      ['a form', 'text=x', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
      ['another charset', '{"text":"x"}', { 'content-type': 'application/json; charset=latin1' }, 415, 'unsupported_media_type'],
      ['a type that begins alike', '{"text":"x"}', { 'content-type': 'application/jsonx' }, 415, 'unsupported_media_type'],
      ['a compressed one', '{"text":"x"}', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
      ['no JSON', '{"text":', {}, 400, 'invalid_request'],
      ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, 400, 'invalid_request'],
      ['a duplicate key', '{"text":"a","text":"b"}', {}, 400, 'invalid_request'],
      ['__proto__', '{"text":"a","__proto__":{"x":1}}', {}, 400, 'invalid_request'],
      ['100,000 levels, too long', '['.repeat(100_000), {}, 413, 'too_large'],
      ['10,000 levels', '['.repeat(10_000), {}, 400, 'invalid_request'],
      ['an array for an object', '[1]', {}, 400, 'invalid_request'],
      ['null', 'null', {}, 400, 'invalid_request'],
      ['one byte too many', JSON.stringify({ text: 'x'.repeat(16 * 1024 - 10) }), {}, 413, 'too_large'],
    ])('%s', async (_, body, headers, status, code) => {
      const { request } = await start();
      expect(await problem(await request('/v1/echo/a', post(body, headers)))).toMatchObject({ status, code });
    });

    it('takes a body of exactly the limit', async () => {
      const { request } = await start();
      expect((await request('/v1/echo/a', post(JSON.stringify({ text: 'x'.repeat(16 * 1024 - 11) })))).status).toBe(200);
    });

    it('refuses a body where none is expected', async () => {
      const { token, raw } = await start();
      const answer = await raw(
        `GET /v1/wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nContent-Length: 2\r\n\r\n{}`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 400 .*takes no body/s);
    });
  });
});
