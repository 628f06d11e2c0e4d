import { createLogger, readConfig } from '@nudge/server-kit';
import { type Server, startServer } from '@nudge/standalone';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { startChild } from '../../support/process.ts';
import { createReplica, type Replica } from '../../support/replica.ts';
import { seedApp, type TestApp } from '../../support/seed.ts';
import { createTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';

const patience = { timeoutMs: 20_000 };
let stack: AsyncDisposableStack;
let database: TestDatabase;
let app: TestApp;
let replica: Replica;
let proxy: TcpProxy;
/** Where the proxy leads; a new connection goes to what it says then. */
const target = { port: 0 };

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await createTestDatabase());
  app = await seedApp(database, 'one', { users: ['ann'] });
  replica = stack.use(await createReplica({ primary: inject('postgres') }));
  target.port = Number(new URL(database.connectionString).port);
  proxy = stack.use(await createTcpProxy(target));
});
afterAll(() => stack.disposeAsync());

const log = createLogger({ name: 'test', level: 'silent' });
const start = (connectionString: string): Promise<Server> => startServer({ config: readConfig({ PORT: '0' }), connectionString, log });

async function ask(server: Server, path = '/v1/sync', body: unknown = { feed: { after: 0 } }) {
  const headers = { authorization: `Bearer ${app.token('ann')}`, 'content-type': 'application/json' };
  const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: (await answer.json()) as { epoch?: number; code?: string; detail?: string } };
}
const readiness = async (server: Server) => {
  const answer = await fetch(`${server.url}/readyz`);
  return { status: answer.status, ...((await answer.json()) as { checks: Record<string, boolean> }) };
};

async function nudge(connectionString: string, ...args: string[]): Promise<string> {
  await using child = await startChild({ script: 'scripts/nudge/main.ts', args, env: { DATABASE_URL: connectionString } });
  const { code } = await child.exited;
  const said = child.lines.join('\n');
  if (code !== 0) throw new Error(said);
  return said;
}

const recorded = async () => (await database.query('select system_identifier, timeline from database_identity'))[0];

it('the first start records the cluster, a second start finds it the same', async () => {
  expect(await recorded()).toBeUndefined();
  await using first = await start(database.connectionString);
  const [actual] = await database.query('select system_identifier::text as system_identifier, 1 as timeline from pg_control_system()');
  expect(await recorded()).toEqual(actual);
  await using second = await start(database.connectionString);
  for (const server of [first, second]) expect([(await readiness(server)).status, (await ask(server)).body.epoch]).toEqual([200, 1]);
  expect(await nudge(database.connectionString, 'epoch')).toMatch(/the same: nothing to do[\s\S]*app one: epoch 1/);
});

it('a promoted copy is noticed by a process that runs and by one that starts; keep and bump do what they say', async () => {
  const promoted = replica.through(database.connectionString);
  await using running = await start(proxy.through(database.connectionString));
  expect((await ask(running)).body.epoch).toBe(1);

  await replica.caughtUp();
  await replica.promote();
  target.port = replica.port;
  expect(proxy.reset()).toBeGreaterThan(0);
  await waitFor('the promotion to be noticed', async () => (await readiness(running)).checks.epoch === false, patience);
  const refused = await ask(running);
  expect([refused.status, refused.body.code]).toEqual([503, 'database_unavailable']);
  expect(refused.body.detail).toMatch(/restored or promoted/);
  await using started = await start(promoted);
  expect(await readiness(started)).toMatchObject({ status: 503, checks: { epoch: false } });
  expect((await ask(started)).status).toBe(503);
  expect(await nudge(promoted, 'epoch')).toMatch(/recorded system \d+, timeline 1\nanswers {2}system \d+, timeline 2\nthey differ/);

  // Keep: they serve again, and clients go on with what they hold.
  expect(await nudge(promoted, 'epoch', 'keep')).toMatch(/timeline 2[\s\S]*app one: epoch 1/);
  for (const server of [running, started]) {
    await waitFor('it to serve again', async () => (await readiness(server)).status === 200, patience);
    expect((await ask(server)).body.epoch).toBe(1);
  }

  // Bump: clients see another epoch and start over.
  expect(await nudge(promoted, 'epoch', 'bump')).toMatch(/app one: epoch 2/);
  for (const server of [running, started]) await waitFor('the new epoch', async () => (await ask(server)).body.epoch === 2, patience);
});

it('the command refuses what it does not know', async () => {
  await expect(nudge(database.connectionString, 'epoch', 'forget')).rejects.toThrow(/epoch keep/);
});
