import { randomBytes } from 'node:crypto';
import { migrate } from '@nudge/db';
import { createLogger } from '@nudge/server-kit';
import { startEmbeddedPostgres } from '@nudge/standalone/postgres';
import pg from 'pg';
import { expect, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { connectDevice } from '../protocol/support/socket.ts';
import { send } from '../races/support/arena.ts';
import type { TestDatabase } from '../support/database.ts';
import { collectLog } from '../support/logs.ts';
import { seedApp } from '../support/seed.ts';
import { startSystem } from '../support/system.ts';
import { createTempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** A PostgreSQL in which nothing happens but what the apps do: no vacuum, no checkpoint, no snapshot for standbys. */
const quiet = { autovacuum: 'off', checkpoint_timeout: '1d', wal_level: 'minimal', max_wal_senders: '0' };

/** A migrated database on a server of its own. */
async function createQuietDatabase(): Promise<TestDatabase> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await createTempDir('quiet'));
  const postgres = stack.use(await startEmbeddedPostgres({ dataDir: dir.path, log: collectLog().log, durable: false, settings: quiet }));
  const { connectionString, adminConnectionString } = postgres;
  await migrate(connectionString);
  const pool = new pg.Pool({ connectionString, max: 2 });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());
  const opened = stack.move();
  return {
    name: 'nudge',
    connectionString,
    adminConnectionString,
    query: async <T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
      (await pool.query<T>(sql, [...values])).rows,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Where the next WAL record goes: moves with everything that is written. */
async function walPosition(database: TestDatabase): Promise<string> {
  const [row] = await database.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  return row?.lsn ?? '';
}

async function rowCounts(database: TestDatabase): Promise<Record<string, number>> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${name}`);
    counts[name] = row?.count ?? 0;
  }
  return counts;
}

/** Promise 18. The control is a message, which leaves its trace in each of the places looked at but the log lines. */
test('typing and presence leave no row, no WAL record and no log line', async () => {
  await using database = await createQuietDatabase();
  const canary = `canary-${randomBytes(8).toString('hex')}`;
  const apps = [await seedApp(database, 'one', { users: [canary, 'bob'] }), await seedApp(database, 'two')] as const;
  const lines: string[] = [];
  const log = createLogger({ name: 'test', level: 'trace', destination: { write: (line) => void lines.push(line) } });
  await using system = await startSystem({ database, apps, log, env: { LIMIT_TYPING_PER_10_SECONDS: '1000' } });
  const http = httpClient(system.url);
  const person = { id: canary, token: apps[0].token(canary) };
  const body = { type: 'group', members: ['bob'] };
  const { id } = (await http.call('createConversation', { token: person.token, body })).ok(201).conversation;
  using typist = await connectDevice(system.url, { token: person.token });
  using reader = await connectDevice(system.url, { token: apps[0].token('bob') });
  for (const device of [typist, reader]) await device.ask('watch', { conversationIds: [id] });
  await reader.ask('presence.watch', { userIds: [canary] });

  const before = await rowCounts(database);
  let last = '';
  const position = await waitFor(
    'the WAL to rest',
    async () => {
      const now = await walPosition(database);
      const rests = now === last;
      last = now;
      return rests && now;
    },
    { intervalMs: 300 },
  );
  const logged = lines.length;

  // One after the other: typing is never queued, and what would have to wait is dropped.
  for (let n = 1; n <= 100; n += 1) {
    typist.tell('typing', { conversationId: id, active: n % 2 === 1 });
    await waitFor(`typing ${n}`, () => reader.heard('typing').length === n, { intervalMs: 2 });
  }
  for (const status of ['away', 'online', 'away'] as const) await typist.ask('presence.set', { status });
  await reader.hear('presence', ({ userId, status }) => userId === canary && status === 'away');

  expect(await walPosition(database), 'nothing was written').toBe(position);
  expect(await rowCounts(database)).toEqual(before);
  expect(lines.slice(logged).filter((line) => line.includes(canary) || line.includes(id) || /typing|presence/.test(line))).toEqual([]);

  (await send(http, person, id, 'control')).ok(201);
  expect(await walPosition(database), 'a message is written').not.toBe(position);
  expect(await rowCounts(database)).not.toEqual(before);
}, 60_000);
