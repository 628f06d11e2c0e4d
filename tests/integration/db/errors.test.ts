import { randomUUID } from 'node:crypto';
import {
  classify,
  conversationStates,
  createApp,
  createPool,
  DatabaseUnavailable,
  DataError,
  ensureUser,
  LockTimeout,
  loadKeys,
  migrate,
  type Pool,
  TransactionConflict,
  tryLease,
  withClient,
} from '@nudge/db';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { converse, createFixture, type Fixture, message, readUpTo, send, sendOne } from './support/fixture.ts';

let db: Fixture;
let pool: Pool;
beforeAll(async () => {
  db = await createFixture();
  pool = db.pool;
});
afterAll(() => db[Symbol.asyncDispose]());

const thrown = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

/** A transaction of someone else's that holds what `sql` locks, until it is disposed. */
async function holding(sql: string, values: unknown[]): Promise<AsyncDisposable> {
  const client = new pg.Client(db.database.connectionString);
  await client.connect();
  await client.query('begin');
  await client.query(sql, values);
  return { [Symbol.asyncDispose]: () => client.end() };
}

describe('lock_timeout', () => {
  test('an append gives up after 250 ms, writes nothing, and works again afterwards', async () => {
    const id = await converse(pool, ['ann']);
    {
      await using _lock = await holding('select 1 from conversation where id = $1 for update', [id]);
      for (const call of [() => sendOne(pool, message(id, 'ann')), () => send(pool, message(id, 'ann'), message(id, 'ann'))]) {
        const started = performance.now();
        expect(await thrown(call())).toBeInstanceOf(LockTimeout);
        expect(performance.now() - started).toBeGreaterThan(240);
      }
    }
    expect(await sendOne(pool, message(id, 'ann'))).toMatchObject({ status: 'ok', seq: 2 });
  });

  test('a read gives up as well', async () => {
    const id = await converse(pool, ['ann']);
    await using _lock = await holding('select 1 from member where conversation_id = $1 for update', [id]);
    expect(await thrown(readUpTo(pool, id, 'ann', 1))).toBeInstanceOf(LockTimeout);
  });

  test('one locked conversation fails the batch, not the pool', async () => {
    const [held, free] = [await converse(pool, ['ann']), await converse(pool, ['ann'])];
    await using _lock = await holding('select 1 from conversation where id = $1 for update', [held]);
    expect(await thrown(send(pool, message(held, 'ann'), message(free, 'ann')))).toBeInstanceOf(LockTimeout);
    expect(await sendOne(pool, message(free, 'ann'))).toMatchObject({ seq: 2 });
  });
});

describe('data errors', () => {
  test('what PostgreSQL cannot hold is refused, with its SQLSTATE, and nothing of the batch is written', async () => {
    const id = await converse(pool, ['ann']);
    const bad = [
      ['22021', message(id, 'ann', { clientMsgId: 'nul\0' })],
      ['22P05', message(id, 'ann', { body: '{"text":"\\u0000"}' })],
      ['22P02', message(id, 'ann', { body: '{"text":' })],
      ['22P02', message('no-uuid', 'ann')],
    ] as const;
    for (const [code, input] of bad) {
      expect(await thrown(sendOne(pool, input)), code).toMatchObject({ name: 'DataError', code });
      expect(await thrown(send(pool, message(id, 'ann'), input)), code).toBeInstanceOf(DataError);
    }
    expect(await sendOne(pool, message(id, 'ann'))).toMatchObject({ seq: 2 });
  });

  test('a message says the code, never the data', async () => {
    const id = await converse(pool, ['ann']);
    const error = await thrown(sendOne(pool, message(id, 'ann', { body: '{"text":"canary' })));
    expect(String(error)).not.toContain('canary');
  });
});

describe('the database is away', () => {
  test('refused, before anything is sent', async () => {
    // Nobody listens on port 1.
    const url = 'postgres://nudge:s3cret@127.0.0.1:1/nudge';
    const away = createPool({ connectionString: url, applicationName: 'away' });
    const calls = [
      () => sendOne(away, message(randomUUID(), 'ann')),
      () => tryLease(away, 'x'),
      () => loadKeys(away),
      () => createApp(away, { id: 'x' }),
      () => migrate(url),
    ];
    for (const call of calls) {
      const error = await thrown(call());
      expect(error).toBeInstanceOf(DatabaseUnavailable);
      expect(String(error)).not.toContain('s3cret');
    }
    await away.end();
  });

  test('a backend killed under a call, and under an idle connection: no crash, and the pool goes on', async () => {
    const heard: Error[] = [];
    const killed = createPool({
      connectionString: db.database.connectionString,
      applicationName: 'victim',
      max: 2,
      onError: (error) => heard.push(error),
    });
    const kill = () =>
      db.database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim' and datname = current_database()",
      );
    try {
      const sleeping = thrown(withClient(killed, (client) => client.query('select pg_sleep(30)')));
      await waitFor(
        'the statement to run',
        async () =>
          (
            await db.database.query(
              "select 1 from pg_stat_activity where query like 'select pg_sleep(30)%' and application_name = 'victim'",
            )
          ).length === 1,
      );
      await kill();
      expect(classify(await sleeping)).toBeInstanceOf(DatabaseUnavailable);
      expect(await conversationStates(killed, [randomUUID()])).toEqual([]);
      await kill();
      await waitFor('the pool to hear of it', () => Promise.resolve(heard.some((error) => error.message.includes('57P01'))));
      expect(await conversationStates(killed, [randomUUID()])).toEqual([]);
    } finally {
      await killed.end();
    }
  });

  test('an exhausted pool and a statement that takes too long', async () => {
    const { connectionString } = db.database;
    const small = createPool({ connectionString, applicationName: 'small', max: 1, connectTimeoutMs: 500 });
    const hasty = createPool({ connectionString, applicationName: 'hasty', max: 1, statementTimeoutMs: 100 });
    try {
      await waitFor('its connection', () => small.query('select'));
      await withClient(small, async () => {
        expect(await thrown(ensureUser(small, 'a', 'ann'))).toBeInstanceOf(DatabaseUnavailable);
      });
      // The server ends the statement; to a process that stood still for a second it looks silent, which is an error without a code.
      await waitFor('the code of the time-out', async () => {
        const error = classify(await thrown(hasty.query('select pg_sleep(5)')));
        expect(error).toBeInstanceOf(DatabaseUnavailable);
        return error instanceof DatabaseUnavailable && error.code === '57014';
      });
      expect(await ensureUser(pool, 'a', 'ann')).toBe(true);
    } finally {
      await small.end();
      await hasty.end();
    }
  });
});

describe('classify', () => {
  test('by SQLSTATE: only those listed count as a conflict', async () => {
    const raise = async (code: string) =>
      classify(
        await thrown(pool.query(`do $$ begin raise exception 'deadlock detected, connection refused' using errcode = '${code}'; end $$`)),
      );
    expect(await raise('40001')).toBeInstanceOf(TransactionConflict);
    expect(await raise('40P01')).toBeInstanceOf(TransactionConflict);
    expect(await raise('23505')).toBeInstanceOf(DataError);
    expect(await raise('54000')).toBeInstanceOf(DataError);
    for (const code of ['53100', '53300', '57P03', '08006', '58030', '25006'])
      expect(await raise(code), code).toBeInstanceOf(DatabaseUnavailable);
    for (const code of ['42P01', 'P0001', 'XX000']) expect(await raise(code), code).toBeInstanceOf(pg.DatabaseError);
  });

  test('a bug in the call stays what it is', () => {
    for (const error of [new TypeError('x'), new RangeError('x'), 'text', null]) expect(classify(error)).toBe(error);
  });
});

describe('pool', () => {
  test('sessions run READ COMMITTED with every timeout set', async () => {
    const { rows } = await pool.query(
      `select current_setting('default_transaction_isolation') as isolation, current_setting('statement_timeout') as statement,
         current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`,
    );
    expect(rows).toEqual([{ isolation: 'read committed', statement: '10s', lock: '2s', idle: '10s' }]);
  });

  test('bigint is a number here and text elsewhere', async () => {
    expect((await pool.query('select 9007199254740991::bigint as n')).rows).toEqual([{ n: Number.MAX_SAFE_INTEGER }]);
    expect(await db.database.query('select 1::bigint as n')).toEqual([{ n: '1' }]);
  });

  test('a refused statement costs no connection', async () => {
    const single = createPool({ connectionString: db.database.connectionString, applicationName: 'refused', max: 1 });
    const pid = async () => (await single.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid;
    try {
      const before = await pid();
      const id = await converse(pool, ['ann']);
      expect(await thrown(sendOne(single, message(id, 'ann', { body: '{' })))).toBeInstanceOf(DataError);
      await using _lock = await holding('select 1 from conversation where id = $1 for update', [id]);
      expect(await thrown(sendOne(single, message(id, 'ann')))).toBeInstanceOf(LockTimeout);
      expect(await pid()).toBe(before);
    } finally {
      await single.end();
    }
  });

  test('a connection that comes back inside a transaction is destroyed', async () => {
    const single = createPool({ connectionString: db.database.connectionString, applicationName: 'single', max: 1 });
    const pid = async () => (await single.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid;
    try {
      const first = await pid();
      expect(await pid()).toBe(first);
      await withClient(single, (client) => client.query('begin'));
      const second = await pid();
      expect(second).not.toBe(first);
      await thrown(withClient(single, () => Promise.reject(new Error('x'))));
      expect(await pid()).not.toBe(second);
    } finally {
      await single.end();
    }
  });

  test.each(['', 'localhost/db', 'mysql://user:s3cret@host/db', 'postgres://user:s3cret@ho st/db'])(
    'a connection string that is none is refused and not repeated: %s',
    (connectionString) => {
      expect(() => createPool({ connectionString, applicationName: 'x' })).toThrow(/is not a postgres:\/\/ URL$/);
    },
  );
});

test('plans from before a migration that changed the type of a column are made anew, on every connection', async () => {
  await using own = await createFixture(3);
  const id = await converse(own.pool, ['ann']);
  const use = () =>
    Promise.all([1, 2, 3, 4, 5].map(async () => [await conversationStates(own.pool, [id]), await sendOne(own.pool, message(id, 'ann'))]));
  await use();
  expect(own.pool.totalCount).toBe(3);
  await own.database.query('create domain another as text');
  await own.database.query('alter table conversation alter column type type another');
  for (const answers of await use()) expect(answers).toMatchObject([[{ id, type: 'group' }], { status: 'ok', conversationType: 'group' }]);
});

test('a lease has one holder; its end frees it, and so does its connection', async () => {
  const first = await tryLease(pool, 'sweeper');
  expect(first).not.toBeNull();
  expect(await tryLease(pool, 'sweeper')).toBeNull();
  await using other = await tryLease(pool, 'another');
  expect(other).not.toBeNull();
  await first?.[Symbol.asyncDispose]();
  const second = await waitFor('the lease to be free', () => tryLease(pool, 'sweeper'));
  await db.database.query(
    "select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.database = (select oid from pg_database where datname = current_database()) and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('nudge/sweeper', 0)",
  );
  await waitFor('the holder to hear of it', () => Promise.resolve(second?.lost.aborted));
  await second?.[Symbol.asyncDispose]();
  await using third = await waitFor('the lease to be free again', () => tryLease(pool, 'sweeper'));
  expect(third.lost.aborted).toBe(false);
});
