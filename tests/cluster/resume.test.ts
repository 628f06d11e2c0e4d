import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Device, type Fleet, startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load } from './support/load.ts';
import { type Stack, startStack } from './support/stack.ts';

let database: TestDatabase;
/** The way of the gateways to their database. */
let toDatabase: TcpProxy;
/** The way of devices to the first gateway. */
let toGateway: TcpProxy;
let stack: Stack;
let fleet: Fleet;
let device: Device;
const loads: Load[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const { port } = new URL(database.connectionString);
  toDatabase = await createTcpProxy({ port: Number(port) });
  stack = await startStack({ database, envOf: { gateway: { DATABASE_URL: toDatabase.through(database.connectionString) } } });
  fleet = await startFleet(stack, { groups: 1 });
  const [first, second] = stack.of('gateway');
  toGateway = await createTcpProxy({ port: first?.port ?? 0 });
  const [added] = await fleet.add('g0u0', ['roaming'], [`http://127.0.0.1:${toGateway.port}`, second?.url ?? '']);
  if (added === undefined) throw new Error('no device');
  device = added;
}, 180_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await toGateway?.[Symbol.asyncDispose]();
  await toDatabase?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
}, 60_000);

async function sendSome(name: string): Promise<void> {
  const load = new Load(stack, fleet.groups, { name });
  loads.push(load);
  await load.progress(10);
  await load.stop();
}

const history = () => breachesOf({ stack, fleet, loads });

test('a broken connection is resumed on the same gateway while that cannot read its database at all', async () => {
  await sendSome('before');
  toDatabase.stall();
  const connections = device.connections.length;
  expect(toGateway.reset(), 'the connection was cut').toBe(1);
  await sendSome('meanwhile');
  await waitFor('the device to be back', () => device.connections.length > connections);
  expect(device.connections.at(-1)).toMatchObject({ resumed: true });

  // The control: whoever the gateway does not know comes in only with the database.
  await database.query("insert into chat_user (app_id, id) values ('one', 'stranger')");
  const coming = fleet.add('stranger', ['stranger'], [stack.of('gateway')[0]?.url ?? '']);
  await waitFor('the stranger to make the gateway ask', () => toDatabase.stats.fired.stall > 0);
  const healedAt = performance.now();
  toDatabase.heal();
  const [stranger] = await coming;
  expect(stranger?.connections[0]?.at).toBeGreaterThan(healedAt);
  expect(await history()).toEqual([]);
}, 120_000);

test('the gateway is out of reach: the device goes to another one, which knows nothing of it, and misses nothing', async () => {
  const connections = device.connections.length;
  toGateway.refuse();
  toGateway.reset();
  await sendSome('away');
  await waitFor('the device to be elsewhere', () => device.connections.length > connections, { timeoutMs: 30_000 });
  expect(toGateway.stats.fired.refuse, 'it tried the old one first').toBeGreaterThan(0);
  expect(device.connections.at(-1)).toMatchObject({ resumed: false, url: stack.of('gateway')[1]?.url });
  await sendSome('after');
  expect(await history()).toEqual([]);
}, 120_000);
