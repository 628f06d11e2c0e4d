import { randomBytes, randomUUID } from 'node:crypto';
import { migrate } from '@nudge/db';
import { createLogger } from '@nudge/server-kit';
import { startEmbeddedPostgres } from '@nudge/standalone/postgres';
import pg from 'pg';
import { expect, test } from 'vitest';
import { idleJobs } from '../integration/api/support/jobs.ts';
import { httpClient } from '../protocol/support/http.ts';
import { connectDevice } from '../protocol/support/socket.ts';
import { send } from '../races/support/arena.ts';
import { filesWith, newCanary, tablesWith } from '../support/canary.ts';
import type { TestDatabase } from '../support/database.ts';
import { collectLog } from '../support/logs.ts';
import { seedApp } from '../support/seed.ts';
import { startSystem } from '../support/system.ts';
import { createTempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';

/** A PostgreSQL in which nothing happens but what the apps do: no vacuum, no checkpoint, no snapshot for standbys. */
const quiet = { autovacuum: 'off', checkpoint_timeout: '1d', wal_level: 'minimal', max_wal_senders: '0' };

/** A migrated database on a server of its own, and where that keeps its files. */
async function createQuietDatabase(): Promise<TestDatabase & { readonly dataDir: string }> {
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
    dataDir: dir.path,
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
  // Every periodic job writes when its time comes.
  const compose = { api: { jobs: idleJobs } };
  await using system = await startSystem({ database, apps, log, compose, env: { LIMIT_TYPING_PER_10_SECONDS: '1000' } });
  const http = httpClient(system.url);
  const person = { id: canary, token: apps[0].token(canary) };
  const body = { type: 'group', members: ['bob'] };
  const { id } = (await http.call('createConversation', { token: person.token, body })).ok(201).conversation;
  using typist = await connectDevice(system.url, { token: person.token });
  using reader = await connectDevice(system.url, { token: apps[0].token('bob') });
  for (const device of [typist, reader]) await device.ask('watch', { conversationIds: [id] });
  await reader.ask('presence.watch', { userIds: [canary] });

  // Rows of what was announced are deleted a moment later.
  await waitFor('nothing to announce', async () => (await database.query('select from outbox')).length === 0);
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

/** What the server wrote where it stores: tables, and files of the data directory with all that is still in PostgreSQL's own memory brought there. */
async function tracesOf(database: TestDatabase & { readonly dataDir: string }, text: string) {
  const admin = new pg.Client(database.adminConnectionString);
  await admin.connect();
  try {
    await admin.query('checkpoint');
  } finally {
    await admin.end();
  }
  return { tables: await tablesWith(database, text), files: await filesWith(database.dataDir, text) };
}

test('a canary in every field of what is ephemeral is in no table, no file of the database, no WAL and no log line; one in a message is', async () => {
  await using database = await createQuietDatabase();
  const apps = [await seedApp(database, 'one', { users: ['ann', 'bob'] }), await seedApp(database, 'two')] as const;
  const lines: string[] = [];
  const log = createLogger({ name: 'test', level: 'trace', destination: { write: (line) => void lines.push(line) } });
  await using system = await startSystem({ database, apps, log });
  const http = httpClient(system.url);
  const ann = { id: 'ann', token: apps[0].token('ann') };
  const bob = { id: 'bob', token: apps[0].token('bob') };
  const { id } = (await http.call('createConversation', { token: ann.token, body: { type: 'group', members: ['bob'] } })).ok(
    201,
  ).conversation;
  using sender = await connectDevice(system.url, { token: ann.token, deviceId: 'sender' });
  using watcher = await connectDevice(system.url, { token: bob.token, deviceId: 'watcher' });
  for (const device of [sender, watcher]) await device.ask('watch', { conversationIds: [id] });
  await watcher.ask('presence.watch', { userIds: ['ann'] });
  await sender.ask('presence.watch', { userIds: ['bob'] });

  const canaries: Record<string, string> = {};
  const canary = (place: string): string => (canaries[place] ??= newCanary());
  // Accepted and passed on whole: the name, the payload's keys and its values.
  sender.tell('event', { conversationId: id, name: canary('the name of an event'), payload: {} });
  await watcher.hear('event', ({ name }) => name === canary('the name of an event'));
  const payload = { [canary('a key of a payload')]: { deep: [canary('a value of a payload')] } };
  sender.tell('event', { conversationId: id, name: 'wave', payload });
  await watcher.hear('event', (event) => Object.hasOwn(event.payload, canary('a key of a payload')));
  // Refused: fields nobody knows, values that are none, a payload too big, a conversation that is not there.
  const refuse = (name: 'typing' | 'event', given: object) => sender.askRefused('invalid_request', name, given);
  await refuse('typing', { conversationId: id, active: true, text: canary('a refused field of typing') });
  await refuse('typing', { conversationId: id, active: canary('a refused value of typing') });
  await refuse('typing', { conversationId: canary('a conversation that is none'), active: true });
  await refuse('event', { conversationId: id, name: 'wave', payload: {}, extra: canary('a refused field of an event') });
  await refuse('event', { conversationId: id, name: `${canary('a refused name')} with blanks`, payload: {} });
  await refuse('event', { conversationId: id, name: 'wave', payload: { text: canary('a payload too big').repeat(60) } });
  // The same where nothing can be refused: the connection ends.
  using faulty = await connectDevice(system.url, { token: bob.token, deviceId: 'faulty' });
  faulty.tell('typing', { conversationId: id, active: true, text: canary('what breaks the protocol') });
  expect((await faulty.cutOff()).reason).toBe('protocol_error');
  sender.tell('event', { conversationId: randomUUID(), name: canary('an event to nowhere'), payload: {} });
  await sender.askRefused('invalid_request', 'presence.set', { status: canary('a refused status') });
  await sender.askRefused('invalid_request', 'presence.set', { status: 'away', note: canary('a refused field of presence') });
  await sender.ask('presence.set', { status: 'away' });
  await watcher.hear('presence', ({ status }) => status === 'away');
  const watched = await sender.ask('presence.watch', { userIds: [canary('a user that is watched')] });
  expect(watched.presence.every(({ status }) => status === 'offline')).toBe(true);
  // Receipts: what moves is a position; anything beside it is refused.
  const receipt = (body: object) => http.call('markDelivered', { token: bob.token, params: { conversationId: id }, body });
  (await send(http, ann, id, 'something to receive')).ok(201);
  (await receipt({ seq: 2 })).ok();
  (await receipt({ seq: 2, note: canary('a refused field of a receipt') })).refused('invalid_request');
  (await receipt({ seq: canary('a refused value of a receipt') })).refused('invalid_request');
  await sender.hear('receipt', ({ userId, deliveredSeq }) => userId === 'bob' && deliveredSeq === 2);
  (await http.call('getPresence', { token: ann.token, query: { users: canary('a user whose presence is asked for') } })).ok();

  const control = newCanary();
  const sent = await send(http, ann, id, 'control', control);
  const { seq } = sent.ok(201);
  await watcher.reach(`c/${id}`, seq);

  const shown = await tracesOf(database, control);
  expect(shown.tables, 'the control is in its table').toEqual(['public.entry']);
  expect(
    shown.files.some((file) => file.includes('pg_wal')),
    'and in the WAL',
  ).toBe(true);
  expect(
    shown.files.some((file) => /(^|\/)base\//.test(file)),
    'and in a file of a table',
  ).toBe(true);
  const text = lines.join('');
  expect(text.length, 'the log was kept').toBeGreaterThan(100);
  expect(Object.keys(canaries)).toHaveLength(17);
  for (const [place, word] of Object.entries(canaries)) {
    expect(await tracesOf(database, word), place).toEqual({ tables: [], files: [] });
    expect(text.includes(word), `${place}, in the log`).toBe(false);
  }
}, 90_000);
