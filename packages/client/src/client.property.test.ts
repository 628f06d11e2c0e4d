import { once } from 'node:events';
import type { Entry } from '@nudge/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NudgeClient } from './client.ts';
import { type Fault, problem, TestServer, tokenOf } from './fixtures/server.fixture.ts';
import { type TestConnection, TestTransport } from './fixtures/transport.fixture.ts';

/**
 * The whole client over real HTTP and a socket that drops, doubles and reorders keys and breaks: what it hands out is every log in
 * order, each entry once, and after the faults it holds what the server holds. A failing run prints its seed and path.
 */

type Step =
  | { do: 'append'; log: string; count: number }
  | { do: 'send'; log: string }
  | { do: 'key'; log: string; behind: number }
  | { do: 'lose' | 'resume' | 'resync' | 'foreground' }
  | { do: 'fault'; fault: Fault }
  | { do: 'settle' };

const log = fc.constantFrom('c1', 'c2', 'c3');
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('append'), log, count: fc.integer({ min: 1, max: 12 }) }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constant('send'), log }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('key'), log, behind: fc.integer({ min: 0, max: 4 }) }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constantFrom('lose', 'resume', 'resync', 'foreground') }), weight: 2 },
  {
    arbitrary: fc.record({
      do: fc.constant('fault'),
      fault: fc.constantFrom<Fault>(
        'cut',
        'cutAfter',
        { status: 503, body: problem('not_caught_up', true) },
        { status: 502, body: '<html>' },
      ),
    }),
    weight: 2,
  },
  { arbitrary: fc.constant({ do: 'settle' }), weight: 2 },
);

/** Resolves after the event loop has turned, so that requests under way get on. */
async function turn(): Promise<void> {
  const channel = new MessageChannel();
  const message = once(channel.port1, 'message');
  channel.port2.postMessage(0);
  await message;
  channel.port1.close();
}

async function run(steps: readonly Step[]): Promise<void> {
  await using server = await TestServer.start();
  const transport = new TestTransport();
  const faults: Fault[] = [];
  server.fault = () => faults.shift();
  await using client = new NudgeClient({
    url: server.url,
    token: tokenOf('alice'),
    transport,
    random: () => 0,
    tuning: { pageEntries: 5, syncEntries: 8, startEntries: 3 },
  });
  const heard = new Map<string, Entry[]>();
  client.on('entry', ({ conversationId, entry }) => heard.set(conversationId, [...(heard.get(conversationId) ?? []), entry]));
  for (const id of ['c1', 'c2', 'c3']) server.append(id, 4);
  const connecting = client.connect();
  let connection: TestConnection = await transport.next();
  connection.welcome();
  await connecting;
  const sends: Promise<unknown>[] = [];
  let sent = 0;
  const reconnect = async (resumed: boolean) => {
    connection.lose();
    connection = await transport.next();
    connection.welcome({ resumed });
  };
  for (const each of steps) {
    if (each.do === 'append') server.append(each.log, each.count);
    else if (each.do === 'send') sends.push(client.send(each.log, { n: sent++ }, { ordered: sent % 2 === 0 }));
    else if (each.do === 'key') connection.notify([`c/${each.log}`, Math.max(0, server.head(each.log) - each.behind)]);
    else if (each.do === 'resync') connection.resync();
    else if (each.do === 'foreground') client.foreground();
    else if (each.do === 'fault') faults.push(each.fault);
    else if (each.do === 'settle') await turn();
    else await reconnect(each.do === 'resume');
  }
  faults.length = 0;
  await Promise.all(sends);
  const current = new Promise<void>((resolve) => {
    client.on('current', resolve as () => void);
  });
  client.foreground();
  await current;
  expect(server.conversations.get('c1')?.entries.length).toBeGreaterThan(0);
  for (const [id, { entries }] of server.conversations) {
    const mine = heard.get(id) ?? [];
    expect(mine).toEqual(entries.slice((mine[0]?.seq ?? 1) - 1));
    expect(client.entries(id)).toEqual(mine);
    expect(client.cursor(id)).toBe(entries.length);
  }
  const own = [...server.conversations.values()].flatMap(({ entries }) => entries.filter(({ senderId }) => senderId === 'alice'));
  expect(own).toHaveLength(sent);
}

describe('the client under faults', () => {
  it('hands out every entry once and in order, stores every send once, and ends with what the server holds', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), run), { numRuns: 60 });
  });
});
