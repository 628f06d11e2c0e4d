import { afterAll, beforeAll, expect, test } from 'vitest';
import { trueLog } from '../model/support/truth.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Asked, breachesOfAnswers } from './support/answers.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { breachesOf, breachesOfKeys, breachesOfLog } from './support/history.ts';
import { Load } from './support/load.ts';
import { type Stack, startStack } from './support/stack.ts';

let stack: Stack;
let fleet: Fleet;
/** All that was ever sent here: every test looks at the whole history. */
const loads: Load[] = [];

beforeAll(async () => {
  stack = await startStack();
  fleet = await startFleet(stack);
}, 180_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
}, 60_000);

function startLoad(name: string): Load {
  const load = new Load(stack, fleet.groups, { name });
  loads.push(load);
  return load;
}

const history = () => breachesOf({ stack, fleet, loads });

test('devices are spread over both gateways, and a lost or doubled send would be seen', async () => {
  const urls = new Set(fleet.devices.map(({ gatewayUrl }) => gatewayUrl));
  expect(urls).toEqual(new Set(stack.of('gateway').map(({ url }) => url)));
  const load = startLoad('first');
  await load.progress(20);
  await load.stop();
  expect(await history()).toEqual([]);
  const id = fleet.groups[0]?.id ?? '';
  const log = await trueLog(stack.database, id);
  const acked = load.acked.filter(({ conversationId }) => conversationId === id);
  const victim = acked[0]?.seq ?? 0;
  expect(
    breachesOfLog(
      log.filter(({ seq }) => seq !== victim),
      acked,
    ),
  ).toContain(`acknowledged ${acked[0]?.clientMsgId} is not at ${victim}`);
  expect(breachesOfLog([...log, ...log.slice(-1)], acked)).toContain('a send is there twice');

  const name = 'a device';
  expect(breachesOfKeys({ name, keys: new Map([['c/x', 3]]) }, new Map([['c/x', 2]]))).toEqual([
    `${name} heard of c/x up to 3, which ends at 2`,
  ]);
  expect(breachesOfKeys({ name, keys: new Map([['c/x', 3]]) }, new Map())).toHaveLength(1);
  const [group] = fleet.groups;
  if (group === undefined) throw new Error('no group');
  const answers = (over: Partial<Asked>) => breachesOfAnswers({ stack, group, log, acked, ...over });
  const short = (await answers({ log: log.slice(0, -1) })).join('\n');
  for (const said of [/sync-2 answers head \d+ of/, /sync-1 answers \d+ entries after 0 of/, /a head of/]) expect(short).toMatch(said);
  const wrong = (await answers({ log: log.map((entry) => (entry.seq === 3 ? { ...entry, seq: 4 } : entry)) })).join('\n');
  expect(wrong).toMatch(/sync-1 answers \d+ entries backwards of/);
  const [first] = acked;
  if (first === undefined) throw new Error('nothing was sent');
  expect((await answers({ acked: [{ ...first, seq: first.seq + 1 }] })).join('\n')).toMatch(/api-1 answers first-.* again with 200/);
  expect((await answers({ acked: [{ ...first, text: 'never sent' }] })).join('\n')).toMatch(/again with 409/);
  const open = { ...stack, otherApp: stack.app };
  expect((await answers({ stack: open })).join('\n')).toMatch(/answers a stranger 200/);
}, 120_000);

test('rolling restart of every gateway under load loses and doubles nothing: sockets are told to move, and have before theirs ends', async () => {
  const load = startLoad('rolling');
  await load.progress(20);
  const before = fleet.devices.map(({ controls, connections }) => [controls.length, connections.length] as const);
  const pids = stack.of('gateway').map((gateway) => gateway.process.pid);
  for (const gateway of stack.of('gateway')) {
    await gateway.process.restart();
    await load.progress(20);
  }
  expect(stack.of('gateway').map((gateway) => gateway.process.pid)).not.toContain(pids[0]);
  expect(stack.of('gateway').map((gateway) => gateway.process.pid)).not.toContain(pids[1]);
  for (const [index, device] of fleet.devices.entries()) {
    const [controls = 0, connections = 0] = before[index] ?? [];
    const heard = device.controls.slice(controls).map(({ type }) => type);
    expect(heard, `${device.name} was told to move and never cut off`).toContain('reconnect');
    expect(heard).not.toContain('disconnect');
    expect(device.connections.length, `${device.name} moved`).toBeGreaterThan(connections);
  }
  await load.stop();
  expect(load.refusals, 'sends and pulls did not notice').toEqual(new Map());
  expect(load.lost).toBe(0);
  expect(stack.ends).toEqual([]);
  expect(await history()).toEqual([]);
}, 180_000);

test('a gateway killed under load: its devices come back by themselves, nothing is lost or doubled', async () => {
  const load = startLoad('gateway');
  await load.progress(20);
  const [gateway] = stack.of('gateway');
  if (gateway === undefined) throw new Error('no gateway');
  const orphans = fleet.devices.filter(({ gatewayUrl }) => gatewayUrl === gateway.url);
  expect(orphans.length, 'it had sockets').toBeGreaterThan(0);
  const before = orphans.map(({ connections }) => connections.length);
  await stack.killAndWait(gateway);
  expect(stack.ends.at(-1)).toBe('gateway-1 SIGKILL');
  await waitFor('its devices to be back', () => orphans.every(({ connections }, index) => connections.length > (before[index] ?? 0)), {
    timeoutMs: 60_000,
  });
  await load.progress(20);
  await load.stop();
  expect(load.refusals).toEqual(new Map());
  expect(await history()).toEqual([]);
}, 180_000);

test('an API killed under load: the other answers, what was acknowledged is there, and what was not appears once at most', async () => {
  const load = startLoad('api');
  await load.progress(20);
  for (const api of stack.of('api')) {
    await stack.killAndWait(api);
    expect(stack.ends.at(-1)).toBe(`${api.name} SIGKILL`);
    await load.progress(20);
  }
  await load.stop();
  expect([...load.refusals.keys()].filter((kind) => kind !== 'sendMessage 503 overloaded')).toEqual([]);
  expect(await history()).toEqual([]);
}, 180_000);

test('a pull side killed under load: the other answers, and no pull goes back', async () => {
  const load = startLoad('sync');
  await load.progress(20);
  for (const sync of stack.of('sync')) {
    await stack.killAndWait(sync);
    expect(stack.ends.at(-1)).toBe(`${sync.name} SIGKILL`);
    await load.progress(20);
  }
  await load.stop();
  expect([...load.refusals.keys()].filter((kind) => kind !== 'listEntries 503 overloaded')).toEqual([]);
  expect(await history()).toEqual([]);
}, 180_000);
