import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NudgeClient } from '@nudge/client';
import { type Notify, SOCKET_PATH } from '@nudge/types';
import { io } from 'socket.io-client';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { launch } from './support/app-process.ts';
import { startCollector } from './support/collector.ts';

interface Session {
  readonly url: string;
  readonly conversationId: string;
  readonly users: readonly [{ readonly token: string }, { readonly token: string }];
}

/** A demo server, a send by one user and the key that the other one hears. */
async function sendAndHear(env: Readonly<Record<string, string>>, traceparent: string) {
  const stack = new AsyncDisposableStack();
  const dir = stack.use(await createTempDir('tracing'));
  const database = stack.use(await createTestDatabase());
  const child = stack.use(await launch('standalone', { DATA_DIR: dir.path, DATABASE_URL: database.connectionString, ...env }));
  await child.waitForLine(/^The same as JSON/, 60_000);
  const session = JSON.parse(await readFile(join(dir.path, 'demo.json'), 'utf8')) as Session;
  const { url, conversationId, users } = session;
  const socket = io(url, { path: SOCKET_PATH, transports: ['websocket'], forceNew: true, auth: { token: users[1].token, deviceId: 'd' } });
  stack.defer(() => void socket.disconnect());
  const notices: Notify[] = [];
  socket.on('notify', (notify: Notify) => notices.push(notify));
  await new Promise((resolve, reject) => socket.once('welcome', resolve).once('connect_error', reject));
  const send = async (parent: string): Promise<number> => {
    const sent = await fetch(`${url}/v1/conversations/${conversationId}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${users[0].token}`, 'content-type': 'application/json', traceparent: parent },
      body: JSON.stringify({ clientMsgId: parent, body: { text: 'canary-of-the-traced' } }),
    });
    return ((await sent.json()) as { seq: number }).seq;
  };
  const seq = await send(traceparent);
  const notice = await waitFor('the key', () =>
    notices.find(({ keys }) => keys.some(([log, at]) => log === `c/${conversationId}` && at === seq)),
  );
  const pull = (header: string | undefined) =>
    fetch(`${url}/v1/sync/conversations/${conversationId}/entries?after=${seq - 1}&min=${seq}`, {
      headers: { authorization: `Bearer ${users[1].token}`, ...(header === undefined ? {} : { traceparent: header }) },
    });
  return { child, session, notice, send, pull, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = `00-${traceId}-00f067aa0ba902b7-01`;

it('one trace from the send over append, bus and key to the pull, exported over OTLP', async () => {
  await using collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_SERVICE_NAME: 'nudge-of-the-test' };
  await using sent = await sendAndHear(env, parent);
  expect(sent.notice.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect((await sent.pull(sent.notice.traceparent)).status).toBe(200);
  const named = (name: string) => collector.spans.find((span) => span.traceId === traceId && span.name === name);
  const names = ['sendMessage', 'append', 'bus publish', 'key', 'listEntries'];
  await waitFor('all spans', () => names.every((name) => named(name) !== undefined));
  expect(named('sendMessage')?.parentSpanId).toBe('00f067aa0ba902b7');
  expect(named('append')?.parentSpanId).toBe(named('sendMessage')?.spanId);
  expect(named('bus publish')?.parentSpanId).toBe(named('append')?.spanId);
  expect(collector.spans.filter(({ name }) => name === 'key').map(({ spanId }) => spanId)).toContain(named('listEntries')?.parentSpanId);
  expect(new Set(collector.spans.map(({ service }) => service))).toEqual(new Set(['nudge-of-the-test']));
  expect(JSON.stringify(collector.spans)).not.toContain('canary');
  expect(await sent.child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
}, 120_000);

it('the client joins the trace of the key that made it pull', async () => {
  await using collector = await startCollector();
  await using sent = await sendAndHear({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50' }, parent);
  const { url, conversationId, users } = sent.session;
  const client = new NudgeClient({ url, token: users[1].token, deviceId: 'client' });
  try {
    await client.connect();
    // While anything of the start is still on its way it may bring the entry before its key is heard, and then no key makes the client pull.
    const current = new Promise<unknown>((resolve) => client.on('current', resolve));
    client.open(conversationId);
    await current;
    expect(client.cursor(conversationId)).not.toBeNull();
    const next = 'a'.repeat(32);
    const seq = await sent.send(`00-${next}-00f067aa0ba902b7-01`);
    await waitFor('the entry', () => client.cursor(conversationId) === seq);
    const isPull = ({ name, traceId: of }: { name: string; traceId: string }) => of === next && (name === 'listEntries' || name === 'sync');
    await waitFor('the pull in the trace', () => collector.spans.some(isPull));
  } finally {
    await client.close();
  }
}, 120_000);

it('without the variables a traceparent leads to nothing', async () => {
  await using collector = await startCollector();
  await using sent = await sendAndHear({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_EXPORTER: 'none' }, parent);
  expect(sent.notice).not.toHaveProperty('traceparent');
  expect((await sent.pull(parent)).status).toBe(200);
  expect(await sent.child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(collector.spans).toEqual([]);
}, 120_000);

it('a collector that is gone costs no request and does not hold up the end', async () => {
  await using sent = await sendAndHear({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_BSP_SCHEDULE_DELAY: '50' }, parent);
  expect((await sent.pull(sent.notice.traceparent)).status).toBe(200);
  expect(await sent.child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
}, 120_000);
