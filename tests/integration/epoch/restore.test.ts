import { migrateJobs } from '@nudge/api/migrate-jobs';
import { NudgeClient } from '@nudge/client';
import { migrate } from '@nudge/db';
import { createLogger, readConfig } from '@nudge/server-kit';
import { startServer } from '@nudge/standalone';
import { startEmbeddedPostgres } from '@nudge/standalone/postgres';
import pg from 'pg';
import { expect, it } from 'vitest';
import { httpClient } from '../../protocol/support/http.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { freePorts } from '../../support/free-ports.ts';
import { collectLog } from '../../support/logs.ts';
import { startChild } from '../../support/process.ts';
import { seedApp } from '../../support/seed.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const patience = { timeoutMs: 30_000 };

/** Every row of a database, as a dump would hold it. */
async function dump(database: TestDatabase): Promise<ReadonlyMap<string, unknown>> {
  const tables = await database.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename not like '\\_prisma%'`,
  );
  const rows = async (name: string) => (await database.query<{ all: unknown }>(`select jsonb_agg(t) as all from "${name}" t`))[0]?.all;
  return new Map(await Promise.all(tables.map(async ({ name }) => [name, await rows(name)] as const)));
}

/** Puts them into a migrated database of another cluster, in whatever order. */
async function restore(adminUrl: string, dumped: ReadonlyMap<string, unknown>): Promise<void> {
  const admin = new pg.Client(adminUrl);
  await admin.connect();
  await admin.query('set session_replication_role = replica');
  for (const [name, rows] of dumped) {
    await admin.query(`delete from "${name}"`);
    await admin.query(`insert into "${name}" select * from jsonb_populate_recordset(null::"${name}", $1)`, [JSON.stringify(rows ?? [])]);
  }
  await admin.end();
}

it('a dump restored into another cluster serves nothing until it is bumped; a device that knew more starts over', async () => {
  await using database = await createTestDatabase();
  const app = await seedApp(database, 'one', { users: ['ann', 'bob'] });
  const { log: postgresLog } = collectLog();
  await using dir = await createTempDir('restored');
  await using other = await startEmbeddedPostgres({ dataDir: dir.path, log: postgresLog, durable: false });
  await migrate(other.connectionString);
  await migrateJobs(other.connectionString);
  const config = readConfig({ PORT: String(await freePorts(1)) });
  const start = (connectionString: string) => startServer({ config, connectionString, log });

  const first = await start(database.connectionString);
  const body = { type: 'group', members: ['bob'] } as const;
  const { id } = (await httpClient(first.url).call('createConversation', { token: app.token('ann'), body })).ok(201).conversation;
  await using client = new NudgeClient({ url: first.url, token: app.token('ann'), deviceId: 'd1' });
  const dropped: string[] = [];
  let connections = 0;
  client.on('connected', () => {
    connections += 1;
  });
  client.on('dropped', ({ reason }) => dropped.push(reason));
  await client.connect();
  client.open(id);
  await client.send(id, { text: 'in the dump' });
  const dumped = await dump(database);
  const { seq } = await client.send(id, { text: 'after the dump' });
  await waitFor('the device to have all', () => client.cursor(id) === seq);
  await first[Symbol.asyncDispose]();

  await restore(new URL(`/nudge`, other.adminConnectionString).href, dumped);
  await using second = await start(other.connectionString);
  const ready = () => fetch(`${second.url}/readyz`);
  expect([(await ready()).status, await (await ready()).json()]).toMatchObject([503, { checks: { epoch: false } }]);
  expect(connections, 'nobody is let in meanwhile').toBe(1);

  const args = ['epoch', 'bump', '--database-url', other.connectionString];
  await using command = await startChild({ script: 'scripts/nudge/main.ts', args });
  expect(await command.exited, command.lines.join('\n')).toMatchObject({ code: 0 });
  expect(command.lines.join('\n')).toMatch(/recorded system \d+, timeline 1[\s\S]*app one: epoch 2/);
  await waitFor('it to serve', async () => (await ready()).status === 200, patience);
  await waitFor('the device to be back', () => connections === 2, patience);
  const texts = () => client.view(id)?.entries.flatMap(({ body }) => (body?.text === undefined ? [] : [body.text]));
  await waitFor('the device to hold what the server has', () => JSON.stringify(texts()) === '["in the dump"]', patience);
  expect(dropped).toContain('epoch');
  expect((await client.send(id, { text: 'new' })).seq, 'the place of what is lost is given again').toBe(seq);
  await waitFor('the new one', () => texts()?.at(-1) === 'new', patience);
}, 120_000);
