import type { Control, Welcome } from '@nudge/types';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Endpoints } from './endpoints.ts';
import { NudgeError } from './errors.ts';
import { ManualClock } from './fixtures/clock.fixture.ts';
import { tokenOf } from './fixtures/server.fixture.ts';
import { TestTransport } from './fixtures/transport.fixture.ts';
import { Http } from './http.ts';
import { Link } from './link.ts';
import { Tokens } from './tokens.ts';

let clock: ManualClock;
let transport: TestTransport;
let told: string[];

beforeEach(() => {
  clock = new ManualClock();
  transport = new TestTransport();
  told = [];
});

/** A link whose jitter is always half of what it may be. */
function make(source?: ConstructorParameters<typeof Endpoints>[1], fetch: typeof globalThis.fetch = vi.fn()): Link {
  const tokens = new Tokens({ token: tokenOf('alice') });
  const http = new Http({ fetch, clock, random: () => 0.5, tokens, timeoutMs: 1_000 });
  return new Link({
    transport,
    clock,
    random: () => 0.5,
    tokens,
    http,
    endpoints: new Endpoints('http://api/', source, 'wifi', clock),
    deviceId: 'd1',
    clientName: undefined,
    platform: undefined,
    network: 'wifi',
    connectTimeoutMs: 10_000,
    ackTimeoutMs: 1_000,
    observer: {
      welcome: ({ gatewayId }: Welcome, url) => told.push(`welcome ${gatewayId} at ${url}`),
      notify: () => told.push('notify'),
      typing: () => told.push('typing'),
      presence: () => told.push('presence'),
      receipt: () => undefined,
      event: () => undefined,
      control: ({ type }: Control) => told.push(type),
      disconnected: ({ code }, said, retryInMs) => told.push(`${code} ${said?.code ?? '-'} retry in ${retryInMs}`),
      stopped: ({ code }, said) => told.push(`stopped ${code} ${said?.code ?? '-'}`),
      error: ({ code }) => told.push(`error ${code}`),
    },
  });
}

describe('the link', () => {
  it('comes back after a jittered wait, and hears nothing of the connection it gave up', async () => {
    const link = make();
    link.start();
    const first = await transport.next();
    first.welcome();
    first.lose();
    first.notify(['c/x', 1]);
    first.lose();
    expect(link.open).toBe(false);
    expect(transport.connections).toHaveLength(1);
    clock.advance(250);
    const second = await transport.next();
    second.welcome({ gatewayId: 'g2' });
    expect(told).toEqual(['welcome g1 at http://api', 'disconnected - retry in 250', 'welcome g2 at http://api']);
    expect(second.request.auth.sessionId).toBe('session of d1');
  });

  it('gives up on a gateway that does not welcome', async () => {
    make().start();
    const first = await transport.next();
    clock.advance(10_000);
    expect(told).toEqual(['timeout - retry in 250']);
    expect(first.closedByClient).toBe(true);
  });

  it('does not come back where it is not wanted, until it is started again', async () => {
    const link = make();
    link.start();
    const first = await transport.next();
    first.welcome();
    first.control({ type: 'disconnect', code: 3502, reason: 'protocol_error' });
    first.lose();
    clock.advance(1e9);
    expect(told.slice(1)).toEqual(['disconnect', 'stopped disconnected 3502']);
    expect(clock.pending).toBe(0);
    link.start();
    await transport.next();
  });

  it('waits as long as the server says', async () => {
    make().start();
    const first = await transport.next();
    first.lose(new NudgeError('overloaded', 'too many', { retryable: true, retryAfterMs: 7_000 }));
    expect(told).toEqual(['overloaded - retry in 7250']);
  });

  it('moves where it is told to, and offers no session there', async () => {
    make().start();
    const first = await transport.next();
    first.welcome();
    first.control({ type: 'reconnect', target: 'https://other/', retryAfterMs: 3_000 });
    clock.advance(2_999);
    expect(first.closedByClient).toBe(false);
    clock.advance(1);
    const second = await transport.next();
    expect(first.closedByClient).toBe(true);
    expect(second.request).toMatchObject({ url: 'https://other', auth: { deviceId: 'd1' } });
    expect(second.request.auth.sessionId).toBeUndefined();
  });

  it('moves to no address that is not one', async () => {
    make().start();
    const first = await transport.next();
    first.welcome();
    first.control({ type: 'reconnect', target: 'javascript:alert(1)', retryAfterMs: 0 });
    clock.advance(0);
    expect((await transport.next()).request.url).toBe('http://api');
  });

  it('tries the gateways of a fixed list in turn', async () => {
    make({ gateways: ['http://g1', 'http://g2'] }).start();
    for (const url of ['http://g1', 'http://g2', 'http://g1']) {
      const connection = await transport.next();
      expect(connection.request.url).toBe(url);
      connection.lose();
      clock.advance(30_000);
    }
  });

  it('asks the dispatcher, keeps its list while it is fresh, and asks again when none of it served', async () => {
    const fetch = vi.fn(async () =>
      Response.json({ gateways: [{ url: 'http://g1' }, { url: 'http://g2' }], sync: 'http://sync', ttlSeconds: 60 }),
    );
    make('dispatcher', fetch).start();
    for (const [url, asked] of [
      ['http://g1', 1],
      ['http://g2', 1],
      ['http://g1', 2],
    ] as const) {
      const connection = await transport.next();
      expect(connection.request.url).toBe(url);
      expect(fetch).toHaveBeenCalledTimes(asked);
      connection.lose();
      clock.advance(4_000);
    }
  });

  it('keeps trying while the dispatcher does not answer', async () => {
    const fetch = vi
      .fn()
      .mockRejectedValueOnce(new TypeError('fetch failed'))
      .mockResolvedValue(Response.json({ gateways: [], sync: 'x', ttlSeconds: 1 }));
    make('dispatcher', fetch).start();
    await vi.waitFor(() => expect(told).toEqual(['network - retry in 250']), { timeout: 10_000 });
    clock.advance(250);
    await vi.waitFor(() => expect(told).toEqual(['network - retry in 250', 'overloaded - retry in 500']), { timeout: 10_000 });
  });

  it('stopped while it dials, stays away', async () => {
    const link = make();
    link.start();
    link.stop();
    await Promise.resolve();
    await vi.waitFor(() => expect(clock.pending).toBe(0), { timeout: 10_000 });
    expect(transport.connections).toHaveLength(0);
    expect(told).toEqual([]);
  });

  it('refuses requests while there is no connection', async () => {
    const link = make();
    await expect(link.request('watch', { conversationIds: [] })).rejects.toMatchObject({ code: 'disconnected' });
    link.typing({ conversationId: 'c', active: true });
  });
});
