import { type Notify, SOCKET_PATH } from '@nudge/types';
import { io } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { startCollector } from '../integration/ops/support/collector.ts';
import { httpClient } from '../protocol/support/http.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Stack, startStack } from './support/stack.ts';

const urlOf = (stack: Stack, role: 'api' | 'gateway' | 'sync') => stack.of(role)[0]?.url ?? '';
const pidOf = (stack: Stack, role: 'api' | 'gateway' | 'sync') => stack.of(role)[0]?.process.pid;

test('one trace over three processes: the send in one, its key over Redis through another, the pull in the third', async () => {
  await using collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50' };
  await using stack = await startStack({ count: { gateway: 1, api: 1, sync: 1 }, users: ['ann', 'bob'], env });
  const pids = (['api', 'gateway', 'sync'] as const).map((role) => pidOf(stack, role));
  expect(new Set(pids).size, 'processes of their own').toBe(3);
  const { token } = stack.app;
  const body = { type: 'group', title: 'traced', members: ['bob'] };
  const { conversation } = (await httpClient(stack.url).call('createConversation', { token: token('ann'), body })).ok();

  const socket = io(urlOf(stack, 'gateway'), {
    path: SOCKET_PATH,
    transports: ['websocket'],
    forceNew: true,
    auth: { token: token('bob'), deviceId: 'd' },
  });
  onTestFinished(() => void socket.disconnect());
  const notices: Notify[] = [];
  socket.on('notify', (notify: Notify) => notices.push(notify));
  await new Promise((resolve, reject) => socket.once('welcome', resolve).once('connect_error', reject));

  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const sent = await fetch(`${urlOf(stack, 'api')}/v1/conversations/${conversation.id}/messages`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token('ann')}`,
      'content-type': 'application/json',
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({ clientMsgId: 'traced', body: { text: 'canary-of-the-traced' } }),
  });
  expect(sent.status).toBe(201);
  const { seq } = (await sent.json()) as { seq: number };
  const notice = await waitFor('the key', () =>
    notices.find(({ keys }) => keys.some(([log, at]) => log === `c/${conversation.id}` && at === seq)),
  );
  const traceparent = notice.traceparent ?? '';
  expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  const pulled = await fetch(`${urlOf(stack, 'sync')}/v1/sync/conversations/${conversation.id}/entries?after=${seq - 1}&min=${seq}`, {
    headers: { authorization: `Bearer ${token('bob')}`, traceparent },
  });
  expect(pulled.status).toBe(200);

  const named = (name: string) => collector.spans.filter((span) => span.traceId === traceId && span.name === name);
  const spans = ['sendMessage', 'append', 'bus publish', 'key', 'listEntries'];
  await waitFor('the spans of all processes', () => spans.every((name) => named(name).length > 0));
  const services = spans.map((name) => [...new Set(named(name).map(({ service }) => service))]);
  expect(services).toEqual([['nudge-api'], ['nudge-api'], ['nudge-api'], ['nudge-gateway'], ['nudge-sync']]);
  const parentOf = (name: string) => named(name)[0]?.parentSpanId;
  const idsOf = (name: string) => named(name).map(({ spanId }) => spanId);
  expect(parentOf('sendMessage')).toBe('00f067aa0ba902b7');
  expect(idsOf('sendMessage')).toContain(parentOf('append'));
  expect(idsOf('append')).toContain(parentOf('bus publish'));
  // A publish is of many sends: what each key carries over Redis is its own.
  expect(idsOf('append')).toContain(parentOf('key'));
  expect(idsOf('key')).toContain(parentOf('listEntries'));
  expect(JSON.stringify(collector.spans)).not.toContain('canary');
  expect(stack.ends).toEqual([]);
}, 120_000);
