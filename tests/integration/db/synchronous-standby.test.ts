import { randomUUID } from 'node:crypto';
import { migrateJobs } from '@nudge/api/migrate-jobs';
import { createApp, createConversation, createPool, DatabaseUnavailable, migrate, type Pool, withClient } from '@nudge/db';
import { createLogger, readConfig } from '@nudge/server-kit';
import { startServer } from '@nudge/standalone';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@nudge/standalone/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpClient } from '../../protocol/support/http.ts';
import { freePorts } from '../../support/free-ports.ts';
import { collectLog } from '../../support/logs.ts';
import { createReplica, type Replica } from '../../support/replica.ts';
import { seedApp } from '../../support/seed.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { converse, message, readUpTo, send, sendOne } from './support/fixture.ts';

const stack = new AsyncDisposableStack();
/** A commit waits until the standby has replayed it, so that pausing the replay makes it wait. */
const settings = { synchronous_commit: 'remote_apply' };
let primary: EmbeddedPostgres;
let replica: Replica;
let admin: pg.Client;
let pool: Pool;

beforeAll(async () => {
  const dir = stack.use(await createTempDir('synchronous'));
  primary = stack.use(await startEmbeddedPostgres({ dataDir: dir.path, log: collectLog().log, durable: false, settings }));
  await migrate(primary.connectionString);
  await migrateJobs(primary.connectionString);
  // The superuser, on the apps' database.
  const database = new URL(primary.adminConnectionString);
  database.pathname = new URL(primary.connectionString).pathname;
  admin = new pg.Client(database.href);
  await admin.connect();
  stack.defer(() => admin.end());
  pool = createPool({ connectionString: primary.connectionString, applicationName: 'sync-test' });
  stack.defer(() => pool.end());
  await createApp(pool, { id: 'a' });
  replica = stack.use(await createReplica({ primary }));
  await admin.query("alter system set synchronous_standby_names = '*'");
  await admin.query('select pg_reload_conf()');
  await waitFor('the standby to be synchronous', async () => {
    const { rows } = await admin.query("select from pg_stat_replication where sync_state = 'sync'");
    return rows.length === 1;
  });
}, 120_000);

afterAll(async () => {
  await admin.query('alter system reset synchronous_standby_names');
  await admin.query('select pg_reload_conf()');
  await stack.disposeAsync();
});

/** The backend that waits for the standby with the commit of such a statement. */
async function waiting(statement: string): Promise<number> {
  return await waitFor(`a commit of ${statement} that waits for the standby`, async () => {
    const { rows } = await admin.query<{ pid: number }>(
      "select pid from pg_stat_activity where wait_event = 'SyncRep' and strpos(query, $1) > 0",
      [statement],
    );
    return rows[0]?.pid;
  });
}

/** Ends that wait; resolves with the backend's pid. */
async function cancelWait(statement: string): Promise<number> {
  const pid = await waiting(statement);
  await admin.query('select pg_cancel_backend($1)', [pid]);
  return pid;
}

/** Runs `work` with a standby that replays nothing. */
async function whilePaused(work: () => Promise<void>): Promise<void> {
  await replica.pauseReplay();
  try {
    await work();
  } finally {
    await replica.resumeReplay();
  }
}

async function entriesOf(conversationId: string, connectionString: string): Promise<number> {
  const client = new pg.Client(connectionString);
  await client.connect();
  const { rows } = await client.query<{ n: number }>(
    "select count(*)::int as n from entry where conversation_id = $1 and type = 'message'",
    [conversationId],
  );
  await client.end();
  return rows[0]?.n ?? 0;
}

for (const [what, count, statement] of [
  ['an append', 1, 'append_one'],
  ['a few appends', 3, 'append_few'],
  ['many appends', 9, 'append_entries'],
] as const) {
  test(`${what} whose wait is cancelled is not acknowledged, and the same again only once the standby has it`, async () => {
    const id = await converse(pool, ['ann']);
    const [first, ...rest] = Array.from({ length: count }, () => message(id, 'ann'));
    if (first === undefined) throw new Error('no message');
    let repeated: ReturnType<typeof send> | undefined;
    let settled = false;
    await whilePaused(async () => {
      const outcome = send(pool, first, ...rest).then(
        () => 'acknowledged',
        (error: unknown) => error,
      );
      await cancelWait(statement);
      expect(await outcome).toBeInstanceOf(DatabaseUnavailable);
      // That is the trap: PostgreSQL has committed here, and the standby has nothing.
      expect(await entriesOf(id, primary.connectionString)).toBe(count);
      expect(await entriesOf(id, replica.through(primary.connectionString))).toBe(0);

      repeated = send(pool, first, ...rest).finally(() => {
        settled = true;
      });
      await waiting(statement);
      expect(settled).toBe(false);
    });
    const results = await repeated;
    expect(results?.map(({ status }) => status)).toEqual(Array(count).fill('duplicate'));
    expect(await entriesOf(id, replica.through(primary.connectionString))).toBe(count);
  });
}

test('neither is a read position, and the connection is not used again', async () => {
  const id = await converse(pool, ['ann', 'bob']);
  await sendOne(pool, message(id, 'ann'));
  await whilePaused(async () => {
    const outcome = readUpTo(pool, id, 'bob', 2).catch((error: unknown) => error);
    const pid = await cancelWait('mark_read');
    expect(await outcome).toBeInstanceOf(DatabaseUnavailable);
    await waitFor(
      'its connection to end',
      async () => (await admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0,
    );
  });
  expect(await readUpTo(pool, id, 'bob', 2)).toMatchObject({ status: 'unchanged', readSeq: 2 });
});

test('nor a conversation, and the same again only once the standby has it', async () => {
  const id = randomUUID();
  const base = { id, appId: 'a', type: 'group', createdBy: 'ann', members: [], title: null, metadata: null, history: 'full' } as const;
  const create = () => createConversation(pool, { ...base, outboxId: randomUUID() });
  let repeated: ReturnType<typeof create> | undefined;
  await whilePaused(async () => {
    const outcome = create().catch((error: unknown) => error);
    await cancelWait('create_conversation');
    expect(await outcome).toBeInstanceOf(DatabaseUnavailable);
    repeated = create();
    await waiting('for key share');
  });
  expect(await repeated).toMatchObject({ created: false, conversation: { id } });
});

test.each([
  ['the pool itself', () => pool.query("update app set name = 'other' where id = 'a'")],
  ['a transaction', () => withClient(pool, (client) => client.query("update app set name = 'another' where id = 'a'"))],
  ['Prisma', () => createApp(pool, { id: 'b' })],
] as const)('nor what goes through %s, and what comes after on the same connection is not taken for it', async (_, write) => {
  await whilePaused(async () => {
    const outcome = write().then(
      () => 'acknowledged',
      (error: unknown) => error,
    );
    await cancelWait('app');
    expect(await outcome).toBeInstanceOf(Error);
  });
  expect((await pool.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('over HTTP it is 503 with a code that says to try again, and the retry is the same message', async () => {
  const query = async <T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
    (await admin.query<T>(sql, [...values])).rows;
  const app = await seedApp({ query }, 'http', { users: ['ann'] });
  const log = createLogger({ name: 'test', level: 'silent' });
  const config = readConfig({ PORT: String(await freePorts(1)) });
  await using server = await startServer({ config, connectionString: primary.connectionString, log });
  const { call } = httpClient(server.url);
  const token = app.token('ann');
  const { id } = (await call('createConversation', { token, body: { type: 'group', members: [] } })).ok(201).conversation;
  const post = (clientMsgId = 'm1') =>
    call('sendMessage', { token, params: { conversationId: id }, body: { clientMsgId, body: { text: 'kept' } } });
  // The first send of an app writes more than itself.
  (await post('m0')).ok(201);
  let retried: ReturnType<typeof post> | undefined;
  await whilePaused(async () => {
    const first = post();
    await cancelWait('append_one');
    (await first).refused('database_unavailable');
    retried = post();
    await waiting('append_one');
  });
  expect((await retried)?.ok(200)).toMatchObject({ seq: 3 });
});
