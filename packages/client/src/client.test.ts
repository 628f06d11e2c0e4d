import type { Entry } from '@nudge/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NudgeClient } from './client.ts';
import type { ClientEvents } from './events.ts';
import { problem, TestServer, tokenOf } from './fixtures/server.fixture.ts';
import { type TestConnection, TestTransport } from './fixtures/transport.fixture.ts';
import type { ClientOptions } from './options.ts';
import { MemoryStorage } from './storage.ts';

let server: TestServer;
let transport: TestTransport;
const clients: NudgeClient[] = [];

beforeEach(async () => {
  server = await TestServer.start();
  transport = new TestTransport();
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await server[Symbol.asyncDispose]();
});

/** A client without jitter, so that every repetition follows at once. */
function make(options: Partial<ClientOptions> = {}): NudgeClient {
  const client = new NudgeClient({ url: server.url, token: tokenOf('alice'), deviceId: 'd1', transport, random: () => 0, ...options });
  clients.push(client);
  return client;
}

/** The next `event` of a client that `matches`. */
function next<Name extends keyof ClientEvents>(
  client: NudgeClient,
  event: Name,
  matches: (payload: ClientEvents[Name]) => boolean = () => true,
): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => {
    const stop = client.on(event, (payload) => {
      if (!matches(payload)) return;
      stop();
      resolve(payload);
    });
  });
}

async function connected(client: NudgeClient, welcome: Parameters<TestConnection['welcome']>[0] = {}): Promise<TestConnection> {
  const current = next(client, 'current');
  const connecting = client.connect();
  const connection = await transport.next();
  connection.welcome(welcome);
  await connecting;
  await current;
  return connection;
}

function heard(client: NudgeClient, conversationId: string): Entry[] {
  const entries: Entry[] = [];
  client.on('entry', (event) => {
    if (event.conversationId === conversationId) entries.push(event.entry);
  });
  return entries;
}

const seqsOf = (entries: readonly Entry[]) => entries.map(({ seq }) => seq);

describe('connecting', () => {
  it('syncs feed and list in one request, then starts what the list names', async () => {
    server.append('c1', 3);
    const client = make();
    await connected(client);
    expect(server.pulls()).toEqual(['POST feed>0 heads', 'GET c1 after=null min=3']);
    expect(client.entries('c1')).toEqual(server.conversations.get('c1')?.entries);
    expect(client.cursor('c1')).toBe(3);
    expect(client.userId).toBe('alice');
  });

  it('after a reconnect elsewhere asks for everything missed in one request', async () => {
    server.append('c1', 3);
    server.append('c2', 3);
    const client = make();
    const connection = await connected(client);
    const entries = heard(client, 'c2');
    server.append('c1', 2);
    server.append('c2', 2);
    server.seen.length = 0;
    const current = next(client, 'current');
    connection.lose();
    (await transport.next()).welcome();
    await current;
    expect(server.pulls()).toEqual(['POST c1>3 c2>3 feed>0 heads']);
    expect(seqsOf(entries)).toEqual([4, 5]);
  });

  it('says what the app named, and only that', async () => {
    const connection = await connected(make({ clientName: 'app/1.0', platform: 'web' }));
    expect(connection.request.auth).toEqual({ token: tokenOf('alice'), deviceId: 'd1', client: 'app/1.0', platform: 'web' });
  });

  it('resumed there asks for nothing and takes the keys that were kept', async () => {
    server.append('c1', 3);
    const client = make();
    const connection = await connected(client);
    server.append('c1', 1);
    server.seen.length = 0;
    connection.lose();
    const second = await transport.next();
    expect(second.request.auth).toEqual({ token: tokenOf('alice'), deviceId: 'd1', sessionId: 'session of d1' });
    second.welcome({ resumed: true });
    const entry = next(client, 'entry');
    second.notify(['c/c1', 4]);
    expect((await entry).entry.seq).toBe(4);
    expect(server.pulls()).toEqual(['GET c1 after=3 min=4']);
  });

  it('without a socket still pulls', async () => {
    server.append('c1', 3);
    const client = make();
    const current = next(client, 'current');
    client.connect().catch(() => undefined);
    (await transport.next()).lose();
    await current;
    expect(client.cursor('c1')).toBe(3);
  });

  it('continues from what was stored', async () => {
    server.append('c1', 3);
    const storage = new MemoryStorage();
    const first = make({ storage });
    await connected(first);
    await first.close();
    server.append('c1', 2);
    server.seen.length = 0;
    const second = make({ storage });
    const entries = heard(second, 'c1');
    await connected(second);
    expect(server.pulls()).toEqual(['POST c1>3 feed>0 heads']);
    expect(seqsOf(entries)).toEqual([4, 5]);
    expect(seqsOf(second.entries('c1'))).toEqual([1, 2, 3, 4, 5]);
  });

  it('rejects when the server does not want it, and says why', async () => {
    const client = make();
    const connecting = client.connect();
    const connection = await transport.next();
    connection.welcome();
    await connecting;
    const stopped = next(client, 'stopped');
    connection.control({ type: 'disconnect', code: 3503, reason: 'session_replaced' });
    connection.lose();
    expect((await stopped).said).toMatchObject({ code: 3503 });
  });
});

describe('keys', () => {
  it('that come together are pulled together, one alone by the hot route', async () => {
    for (const id of ['c1', 'c2', 'c3']) server.append(id, 2);
    const client = make();
    const connection = await connected(client);
    for (const id of ['c1', 'c2', 'c3']) server.append(id, 1);
    server.seen.length = 0;
    const all = next(client, 'current');
    connection.notify(['c/c1', 3], ['c/c2', 3], ['c/c3', 3]);
    await all;
    server.append('c1', 1);
    const one = next(client, 'current');
    connection.notify(['c/c1', 4]);
    await one;
    expect(server.pulls()).toEqual(['POST c1>2 min 3 c2>2 min 3 c3>2 min 3', 'GET c1 after=3 min=4']);
  });

  it('of a burst cost a few pulls', async () => {
    server.append('c1', 1);
    const client = make();
    const connection = await connected(client);
    const entries = heard(client, 'c1');
    server.seen.length = 0;
    const current = next(client, 'current');
    for (let i = 0; i < 100; i++) connection.notify(['c/c1', server.append('c1')]);
    await current;
    expect(server.pulls().length).toBeLessThanOrEqual(3);
    expect(seqsOf(entries)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2));
  });

  it('of an unknown conversation start it from its end; of an unknown kind of log are ignored', async () => {
    const client = make();
    const connection = await connected(client);
    server.append('c9', 80);
    const current = next(client, 'current');
    connection.notify(['c/c9', 80], ['x/y' as never, 5]);
    await current;
    expect(seqsOf(client.entries('c9'))).toEqual(Array.from({ length: 50 }, (_, i) => i + 31));
  });

  it('that are malformed are dropped', async () => {
    const client = make();
    const connection = await connected(client);
    server.seen.length = 0;
    connection.handlers.notify({ keys: [['c/c1', -1], ['c/c1', 'x'], [1, 2], null, ['c/c1', 1.5]] as never });
    connection.handlers.notify(null as never);
    connection.handlers.notify({} as never);
    expect(client.cursor('c1')).toBeNull();
    expect(server.pulls()).toEqual([]);
  });

  it('that were lost are made good by a resync', async () => {
    server.append('c1', 1);
    const client = make();
    const connection = await connected(client);
    server.append('c1', 4);
    const current = next(client, 'current');
    connection.resync();
    await current;
    expect(client.cursor('c1')).toBe(5);
  });

  it('for which the server is not ready are pulled again', async () => {
    server.append('c1', 1);
    const client = make();
    const connection = await connected(client);
    let refusals = 2;
    server.fault = ({ path }) =>
      path.endsWith('/entries') && refusals-- > 0
        ? { status: 503, body: problem('not_caught_up', true), headers: { 'retry-after': '0' } }
        : undefined;
    server.append('c1', 1);
    const codes: (string | undefined)[] = [];
    client.on('pull', ({ code }) => codes.push(code));
    const current = next(client, 'current');
    connection.notify(['c/c1', 2]);
    await current;
    expect(codes).toEqual(['not_caught_up', 'not_caught_up', undefined]);
    expect(client.cursor('c1')).toBe(2);
  });

  it('that failed together are repeated together', async () => {
    for (const id of ['c1', 'c2']) server.append(id, 1);
    const client = make();
    const connection = await connected(client);
    let failures = 1;
    server.fault = ({ path }) => (path === '/v1/sync' && failures-- > 0 ? { status: 502, body: '<html>' } : undefined);
    for (const id of ['c1', 'c2']) server.append(id, 1);
    server.seen.length = 0;
    const current = next(client, 'current');
    connection.notify(['c/c1', 2], ['c/c2', 2]);
    await current;
    expect(server.pulls()).toEqual(['POST c1>1 min 2 c2>1 min 2', 'POST c1>1 min 2 c2>1 min 2']);
  });

  it('in a request that is refused as a whole are pulled one by one', async () => {
    for (const id of ['c1', 'c2']) server.append(id, 1);
    const client = make();
    const connection = await connected(client);
    server.fault = ({ path }) => (path === '/v1/sync' ? { status: 400, body: problem('invalid_request', false) } : undefined);
    for (const id of ['c1', 'c2']) server.append(id, 1);
    const current = next(client, 'current');
    connection.notify(['c/c1', 2], ['c/c2', 2]);
    await current;
    expect([client.cursor('c1'), client.cursor('c2')]).toEqual([2, 2]);
  });
});

describe('logs that change under the client', () => {
  it('too far behind keep the old range and start a new one', async () => {
    server.append('c1', 10);
    const client = make();
    const connection = await connected(client);
    server.append('c1', 2_000);
    const range = next(client, 'range');
    const current = next(client, 'current');
    connection.resync();
    expect(await range).toEqual({ conversationId: 'c1', from: 1_971 });
    await current;
    expect(client.entries('c1')[0]?.seq).toBe(1_971);
    expect(client.cursor('c1')).toBe(2_010);
  });

  it('of another epoch are dropped and read anew', async () => {
    server.append('c1', 10);
    const client = make();
    const connection = await connected(client);
    server.conversations.clear();
    server.append('c1', 4, 'carol');
    server.epoch = 2;
    const dropped = next(client, 'dropped');
    const current = next(client, 'current');
    connection.resync();
    expect(await dropped).toEqual({ log: 'u/alice', reason: 'epoch' });
    await current;
    expect(client.entries('c1')).toEqual(server.conversations.get('c1')?.entries);
  });

  it('shorter than the cursor are dropped and read anew', async () => {
    server.append('c1', 10);
    const client = make();
    const connection = await connected(client);
    server.conversations.clear();
    server.append('c1', 4, 'carol');
    const current = next(client, 'current');
    connection.resync();
    await current;
    expect(client.entries('c1')).toEqual(server.conversations.get('c1')?.entries);
  });

  it('that were left are gone, and told so by the feed', async () => {
    server.append('c1', 10);
    const client = make();
    const connection = await connected(client);
    server.feed = [{ subject: 'member/c1', version: 1, state: { state: 'left', leftSeq: 11 } }];
    const dropped = next(client, 'dropped');
    connection.notify(['u/alice', 1]);
    expect(await dropped).toEqual({ log: 'c/c1', reason: 'left' });
    expect(client.entries('c1')).toEqual([]);
    expect(client.cursor('c1')).toBeNull();
  });
});

describe('sending', () => {
  it('applies the own message without a pull when it is the next', async () => {
    server.append('c1', 2);
    const client = make();
    await connected(client);
    const entries = heard(client, 'c1');
    server.seen.length = 0;
    const body = { text: 'hello', at: new Date(0) };
    expect(await client.send('c1', body, { clientMsgId: 'm1' })).toMatchObject({ seq: 3, asSent: true });
    expect(server.pulls()).toEqual([]);
    expect(entries).toEqual(server.conversations.get('c1')?.entries.slice(2));
  });

  it('pulls when somebody else was faster', async () => {
    server.append('c1', 2);
    const client = make();
    await connected(client);
    const entries = heard(client, 'c1');
    server.append('c1', 1);
    const current = next(client, 'current');
    await client.send('c1', { text: 'hello' });
    await current;
    expect(entries).toEqual(server.conversations.get('c1')?.entries.slice(2));
  });

  it('repeats under the same name until the answer is there: one message', async () => {
    server.append('c1', 2);
    const client = make();
    await connected(client);
    const faults = [
      'cut',
      'cutAfter',
      { status: 503, body: problem('overloaded', true) },
      { status: 201, body: '{}' },
      { status: 502, body: '<html>' },
    ] as const;
    let at = 0;
    server.fault = ({ path }) => (path.endsWith('/messages') ? faults[at++] : undefined);
    expect(await client.send('c1', { text: 'hello' })).toMatchObject({ seq: 3 });
    expect(at).toBe(6);
    expect(server.head('c1')).toBe(3);
  });

  it('keeps the order of one device, also over failures', async () => {
    server.append('c1', 1);
    const client = make();
    await connected(client);
    let cuts = 3;
    server.fault = ({ path }) => (path.endsWith('/messages') && cuts-- > 0 ? 'cut' : undefined);
    await Promise.all([1, 2, 3, 4, 5].map((n) => client.send('c1', { n })));
    expect(
      server.conversations
        .get('c1')
        ?.entries.slice(1)
        .map(({ body }) => body),
    ).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })));
    expect(client.entries('c1')).toEqual(server.conversations.get('c1')?.entries);
  });

  it('rejects what is refused for good, and goes on with the next', async () => {
    server.append('c1', 1);
    const client = make();
    await connected(client);
    server.fault = ({ body }) => (JSON.stringify(body ?? '').includes('bad') ? { status: 403, body: problem('muted', false) } : undefined);
    const bad = client.send('c1', { text: 'bad' });
    const good = client.send('c1', { text: 'good' });
    await expect(bad).rejects.toMatchObject({ code: 'muted', retryable: false, status: 403, requestId: 'r1' });
    expect(await good).toMatchObject({ seq: 2 });
  });

  it('stops at a signal and at close', async () => {
    const client = make();
    server.fault = ({ path }) => (path.endsWith('/messages') ? new Promise<undefined>(() => undefined) : undefined);
    const stop = new AbortController();
    const aborted = client.send('c1', { text: 'x' }, { signal: stop.signal });
    const closed = client.send('c2', { text: 'x' });
    await vi.waitFor(() => expect(server.seen.length).toBe(2), { timeout: 10_000 });
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
    await client.close();
    await expect(closed).rejects.toMatchObject({ code: 'closed' });
    await expect(client.connect()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('tokens', () => {
  it('are renewed once when refused, for all requests that wait', async () => {
    server.append('c1', 1);
    let serial = 1;
    const getToken = vi.fn(() => tokenOf('alice', serial++));
    const client = make({ token: tokenOf('alice', 0), getToken });
    server.fault = ({ token }) => (token === tokenOf('alice', 0) ? { status: 401, body: problem('token_expired', false) } : undefined);
    await connected(client);
    expect(getToken).toHaveBeenCalledTimes(1);
    expect(client.cursor('c1')).toBe(1);
  });

  it('about to expire are renewed over the live socket', async () => {
    const client = make({ getToken: () => tokenOf('alice', 2) });
    const connection = await connected(client);
    connection.control({ type: 'token_expiring' });
    await vi.waitFor(() => expect(connection.requests).toEqual([{ event: 'reauth', payload: { token: tokenOf('alice', 2) } }]), {
      timeout: 10_000,
    });
  });

  it('that expired are replaced before the next connection', async () => {
    const client = make({ getToken: () => tokenOf('alice', 2) });
    const connection = await connected(client);
    connection.control({ type: 'disconnect', code: 3500, reason: 'token_expired' });
    connection.lose();
    expect((await transport.next()).request.auth.token).toBe(tokenOf('alice', 2));
  });

  it('of another user stop the client', async () => {
    const client = make({ getToken: () => tokenOf('mallory') });
    const connection = await connected(client);
    const stopped = next(client, 'stopped');
    connection.control({ type: 'disconnect', code: 3500 });
    connection.lose();
    expect((await stopped).error.code).toBe('user_changed');
  });
});

describe('around the log', () => {
  it('history before the local one is fetched and joined to it', async () => {
    server.append('c1', 120);
    const client = make();
    await connected(client);
    expect(seqsOf(await client.loadBefore('c1', 30))).toEqual(Array.from({ length: 30 }, (_, i) => i + 41));
    expect(seqsOf(await client.loadBefore('c1', 100))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(await client.loadBefore('c1')).toEqual([]);
    expect(client.entries('c1')).toEqual(server.conversations.get('c1')?.entries);
  });

  it('watches again after a reconnect, and takes the heads as keys', async () => {
    server.append('c1', 2);
    const client = make();
    transport.answer = (event) =>
      event === 'watch' ? { ok: true, heads: { c1: server.head('c1') }, refused: { c2: 'not_found' } } : { ok: true, presence: [] };
    expect(await client.watch(['c1', 'c2'])).toBeUndefined();
    const connection = await connected(client);
    expect(connection.requests).toEqual([{ event: 'watch', payload: { conversationIds: ['c1', 'c2'] } }]);
    server.append('c1', 1);
    connection.lose();
    const second = await transport.next();
    const entry = next(client, 'entry');
    second.welcome({ resumed: true });
    expect((await entry).entry.seq).toBe(3);
    expect(second.requests).toEqual([{ event: 'watch', payload: { conversationIds: ['c1'] } }]);
  });

  it('reports a refused event as an error', async () => {
    const client = make();
    await connected(client);
    transport.answer = () => ({ ok: false, code: 'rate_limited', retryable: true, retryAfterMs: 5 });
    await expect(client.watch(['c1'])).rejects.toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: 5 });
  });

  it('read positions in quick succession share a request', async () => {
    const client = make({ tuning: { readEveryMs: 5 } });
    const marks = await Promise.all([1, 2, 5, 4].map((seq) => client.markRead('c1', seq)));
    expect(marks.map(({ readSeq }) => readSeq)).toEqual([1, 5, 5, 5]);
    expect(server.seen.map(({ body }) => body)).toEqual([{ seq: 1 }, { seq: 5 }]);
  });

  it('typing is said once in a while, and stopped at once', async () => {
    const client = make();
    const connection = await connected(client);
    for (let i = 0; i < 5; i++) client.typing('c1', true);
    client.typing('c1', false);
    expect(connection.typed).toEqual([
      { conversationId: 'c1', active: true },
      { conversationId: 'c1', active: false },
    ]);
    connection.lose();
    client.typing('c1', true);
    expect(connection.typed).toHaveLength(2);
  });

  it('a listener that throws hurts nobody', async () => {
    server.append('c1', 2);
    const client = make();
    client.on('entry', () => {
      throw new Error('listener');
    });
    const entries = heard(client, 'c1');
    const error = next(client, 'error');
    await connected(client);
    expect((await error).error.message).toBe('listener');
    expect(seqsOf(entries)).toEqual([1, 2]);
  });

  it('disposes itself', async () => {
    let client: NudgeClient;
    {
      await using mine = make();
      client = mine;
      await connected(client);
    }
    await expect(client.connect()).rejects.toMatchObject({ code: 'closed' });
    expect(transport.connections.at(-1)?.closedByClient).toBe(true);
  });
});
