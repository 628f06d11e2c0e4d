import type { SessionPolicy } from '@nudge/types';
import { afterAll, beforeAll, test } from 'vitest';
import { Device } from '../integration/gateway/support/device.ts';
import { httpClient } from '../protocol/support/http.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { seedApp, type TestApp } from '../support/seed.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Stack, startStack } from './support/stack.ts';

const rounds = 8;
let database: TestDatabase;
let stack: Stack;
const apps = new Map<string, TestApp>();

beforeAll(async () => {
  database = await createTestDatabase();
  const rules: Readonly<Record<string, SessionPolicy>> = {
    single: { maxSessions: 1 },
    closed: { maxSessions: 1, whenFull: 'refuse' },
    platforms: { onePerPlatform: true },
  };
  for (const [id, sessionPolicy] of Object.entries(rules)) {
    apps.set(id, await seedApp(database, id));
    await database.query('update app set settings = $2 where id = $1', [id, JSON.stringify({ sessionPolicy })]);
  }
  stack = await startStack({ database, count: { gateway: 2, api: 1, sync: 1 } });
}, 180_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
}, 60_000);

function app(id: string): TestApp {
  const found = apps.get(id);
  if (found === undefined) throw new Error(`no app ${id}`);
  return found;
}

/** Devices of one user that connect in the same turn, in turns to one gateway and the other; resolves when each was answered. */
async function rush(owner: TestApp, userId: string, platforms: readonly string[]): Promise<Device[]> {
  const ports = stack.of('gateway').map(({ port }) => port);
  const token = owner.token(userId);
  const devices = platforms.map((platform, n) => new Device(ports[n % ports.length] ?? 0, { token, deviceId: `d${n}`, platform }));
  await waitFor('all to be answered', () => devices.every(({ welcome, closedAt }) => welcome !== undefined || closedAt !== undefined));
  return devices;
}

/** Waits until as many are connected as shall be, and the sockets and the registry say the same. They do so of one too many while its kick is on the way. */
function settled(owner: TestApp, userId: string, devices: readonly Device[], count: number): Promise<unknown> {
  const http = httpClient(stack.url);
  return waitFor(
    `sockets and registry to agree on ${count} of ${userId}`,
    async () => {
      const { sessions } = (await http.call('adminListSessions', { token: owner.serverKey, params: { userId } })).ok(200);
      const open = devices.filter(({ closedAt }) => closedAt === undefined);
      const known = new Set(sessions.map(({ sessionId }) => sessionId));
      if (open.length !== count) throw new Error(`connected: ${open.map(({ welcome }) => welcome?.gatewayId).join(' ')}`);
      return known.size === count && open.every(({ welcome }) => known.has(welcome?.sessionId ?? ''));
    },
    { timeoutMs: 20_000 },
  );
}

/** Real gateways that know of each other through Redis only: no turn of theirs is arranged, so there are several rounds. */
test('of devices that come at once to two gateways one stays, and one per platform', async () => {
  for (let round = 0; round < rounds; round += 1) {
    for (const id of ['single', 'closed', 'platforms']) {
      const userId = `${id}-${round}`;
      const devices = await rush(app(id), userId, ['web', 'ios', 'ios', 'web', 'web', 'ios']);
      await settled(app(id), userId, devices, id === 'platforms' ? 2 : 1);
      for (const device of devices) device.close();
    }
  }
}, 120_000);
