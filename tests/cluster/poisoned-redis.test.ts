import { afterAll, beforeAll, expect, test } from 'vitest';
import { Device } from '../integration/gateway/support/device.ts';
import { httpClient, sent } from '../protocol/support/http.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { seedApp, type TestApp } from '../support/seed.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Stack, startStack } from './support/stack.ts';

let database: TestDatabase;
let stack: Stack;
let other: TestApp;

beforeAll(async () => {
  database = await createTestDatabase();
  other = await seedApp(database, 'two', { users: ['ann', 'bob'] });
  stack = await startStack({ database, users: ['ann', 'bob'], count: { gateway: 2, api: 1, sync: 1 } });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
}, 60_000);

/** Two members of a conversation, each on a gateway of its own and watching. */
async function pair(app: TestApp): Promise<{ id: string; devices: Device[] }> {
  const http = httpClient(stack.url);
  const body = { type: 'group', title: 'pair', members: ['bob'] } as const;
  const { id } = (await http.call('createConversation', { token: app.token('ann'), body })).ok().conversation;
  const devices = stack.of('gateway').map(({ port }, n) => {
    const userId = ['ann', 'bob'][n] ?? 'ann';
    return new Device(port, { token: app.token(userId), deviceId: userId });
  });
  for (const device of devices) {
    await device.welcomed;
    await device.call('watch', { conversationIds: [id] });
  }
  return { id, devices };
}

/** Forms that no process of any version writes: on the bus a line is a letter and its fields, in rooms it is JSON behind a `p`. */
const garbage = (id: string): string[] => [
  '',
  '\n\n',
  '\u0000\u0001\ufffd',
  'Z1,2,3',
  ...['k', 'kx,y', 'k-1,a', 'k1.5,a', 'k1e3,a', 'k,', `k99999999999999999,${id}`, `k1${'0'.repeat(100_000)},${id}`],
  ...['c', 'c1', `cNaN,1,${id}`, `c1,-2,${id}`, 'r', `r1,2,${id}`, 'x', 'xbad,ann', 'x__proto__,ann', 'xconstructor'],
  'k,\n'.repeat(200_000),
  ...['p', 'p{', 'pnull', 'p{}', 'p[]', 'p5', `p${'['.repeat(200_000)}`, 'p\u0000', `p${'x'.repeat(1_000_000)}`],
  ...Array.from({ length: 14 }, (_, type) => `p{"uid":"x","nsp":"/","type":${type}}`),
  ...Array.from({ length: 14 }, (_, type) => `p{"uid":"x","nsp":"/","type":${type},"data":{}}`),
  ...Array.from(
    { length: 14 },
    (_, type) => `p{"uid":"x","nsp":"/","type":${type},"data":{"requestId":"1","packet":["error",{}],"opts":null}}`,
  ),
];

test('garbage on every channel ends no process and no socket, and what follows arrives', async () => {
  const { id, devices } = await pair(stack.app);
  const there = await pair(other);
  const all = [...devices, ...there.devices];
  const channels = (await stack.redis.command('PUBSUB', 'SHARDCHANNELS')) as string[];
  for (const [app, conversation] of [
    [stack.app.id, id],
    [other.id, there.id],
  ]) {
    expect(channels).toContain(`nudge:${app}/u/ann`);
    expect(channels).toContain(`nudge:${app}/c/${conversation}`);
    expect(channels).toContain(`nudge:rooms:rooms#/#${app}/c/${conversation}#`);
  }
  let heard = 0;
  for (const channel of channels) for (const text of garbage(id)) heard += Number(await stack.redis.command('SPUBLISH', channel, text));
  expect(heard).toBeGreaterThan(channels.length * 50);

  const http = httpClient(stack.url);
  for (const [app, conversation, members] of [[stack.app, id, devices] as const, [other, there.id, there.devices] as const]) {
    const body = { clientMsgId: 'after', body: { text: 'after' } };
    const { seq } = sent(await http.call('sendMessage', { token: app.token('ann'), params: { conversationId: conversation }, body }));
    await waitFor('the key', () =>
      members.every((device) => device.heard(conversation) === seq || device.heard(`c/${conversation}`) === seq),
    );
    const [first, second] = members;
    first?.typing(conversation, true);
    await waitFor('the typing', () => second?.typings.some(({ userId, active }) => userId === 'ann' && active));
  }
  for (const device of all) {
    await device.settled();
    expect(device.closedAt).toBeUndefined();
    expect(device.controls).toEqual([]);
  }
  expect(stack.ends).toEqual([]);
}, 120_000);
