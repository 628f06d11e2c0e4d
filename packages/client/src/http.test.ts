import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { ManualClock } from './fixtures/clock.fixture.ts';
import { problem, TestServer, tokenOf } from './fixtures/server.fixture.ts';
import { Http } from './http.ts';
import { Tokens } from './tokens.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start();
});
afterEach(() => server[Symbol.asyncDispose]());

const make = (clock = systemClock as ManualClock | typeof systemClock, timeoutMs = 5_000) =>
  new Http({ fetch, clock, random: () => 0, tokens: new Tokens({ token: tokenOf('alice') }), timeoutMs });
const request = () => ({ method: 'GET' as const, url: `${server.url}/x` });

it('a trace goes with the next pull, once, and with nothing else', async () => {
  const http = new Http({
    fetch: async (_, init) => Response.json({ parent: new Headers(init?.headers).get('traceparent') }),
    clock: systemClock,
    random: () => 0,
    tokens: new Tokens({ token: tokenOf('alice') }),
    timeoutMs: 5_000,
  });
  http.traceparent = 'parent';
  expect((await http.once(request())).body).toEqual({ parent: null });
  expect((await http.once({ ...request(), pull: true })).body).toEqual({ parent: 'parent' });
  expect((await http.once({ ...request(), pull: true })).body).toEqual({ parent: null });
});

describe('failures of HTTP', () => {
  it.each([
    [
      { status: 429, body: problem('rate_limited', true), headers: { 'retry-after': '3' } },
      { code: 'rate_limited', retryable: true, retryAfterMs: 3_000 },
    ],
    [
      { status: 403, body: problem('muted', false) },
      { code: 'muted', retryable: false, status: 403, requestId: 'r1' },
    ],
    [
      { status: 502, body: '<html>' },
      { code: 'bad_answer', retryable: true, status: 502 },
    ],
    [
      { status: 408, body: '' },
      { code: 'bad_answer', retryable: true, status: 408 },
    ],
    [
      { status: 404, body: 'not here' },
      { code: 'bad_answer', retryable: false, status: 404 },
    ],
    [
      { status: 400, body: '[1]' },
      { code: 'bad_answer', retryable: false, status: 400 },
    ],
    [
      { status: 200, body: '{"cut' },
      { code: 'bad_answer', retryable: true },
    ],
    ['cut' as const, { code: 'network', retryable: true }],
  ])('%o', async (fault, error) => {
    server.fault = () => fault;
    await expect(make().once(request())).rejects.toMatchObject(error);
  });

  it('a Retry-After that is a date counts from now', async () => {
    server.fault = () => ({
      status: 503,
      body: problem('overloaded', true),
      headers: { 'retry-after': new Date(1_000_000 + 9_000).toUTCString() },
    });
    await expect(make(new ManualClock()).once(request())).rejects.toMatchObject({ retryAfterMs: 9_000 });
  });

  it('no answer in time', async () => {
    const clock = new ManualClock();
    server.fault = () => new Promise(() => clock.advance(5_000));
    await expect(make(clock).once(request())).rejects.toMatchObject({ code: 'timeout', retryable: true });
  });

  it('repeats no sooner than it is told', async () => {
    const clock = new ManualClock();
    const waits: number[] = [];
    clock.onTimer = (ms) => {
      waits.push(ms);
      if (ms !== 5_000) queueMicrotask(() => clock.advance(ms));
    };
    let refusals = 2;
    server.fault = () =>
      refusals-- > 0
        ? { status: 503, body: problem('overloaded', true), headers: { 'retry-after': '2' } }
        : { status: 200, body: { fine: true } };
    expect(await make(clock).untilAnswered(request(), (body) => body)).toEqual({ fine: true });
    expect(waits.filter((ms) => ms !== 5_000)).toEqual([2_000, 2_000]);
    expect(clock.pending).toBe(0);
  });
});
