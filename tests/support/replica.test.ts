import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createReplica, type Replica } from './replica.ts';
import { waitFor } from './wait-for.ts';

let database: TestDatabase;
let replica: Replica;

beforeAll(async () => {
  database = await createTestDatabase();
  await database.query('create table word (word text)');
  replica = await createReplica({ primary: inject('postgres') });
});

afterAll(async () => {
  await replica.stop();
  await database[Symbol.asyncDispose]();
});

async function wordsOnReplica(): Promise<string[]> {
  const client = new pg.Client(replica.through(database.connectionString));
  await client.connect();
  const { rows } = await client.query<{ word: string }>('select word from word order by word');
  await client.end();
  return rows.map((row) => row.word);
}

test('a replica follows, stands still while paused, and catches up', async () => {
  await database.query("insert into word values ('first')");
  await replica.caughtUp();
  expect(await wordsOnReplica()).toEqual(['first']);

  await replica.pauseReplay();
  await database.query("insert into word values ('second')");
  expect(await wordsOnReplica()).toEqual(['first']);

  await replica.resumeReplay();
  await replica.caughtUp();
  expect(await wordsOnReplica()).toEqual(['first', 'second']);
});

test('it is read-only', async () => {
  const client = new pg.Client(replica.through(database.connectionString));
  await client.connect();
  await expect(client.query("insert into word values ('no')")).rejects.toMatchObject({ code: '25006' });
  await client.end();
});

test('with an apply delay commits arrive that much later', async () => {
  await using late = await createReplica({ primary: inject('postgres'), applyDelayMs: 700 });
  const client = new pg.Client(late.through(database.connectionString));
  await client.connect();
  const count = async () => {
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from word where word = 'late'");
    return rows[0]?.n;
  };
  const since = performance.now();
  await database.query("insert into word values ('late')");
  await waitFor('the delayed commit', async () => (await count()) === 1);
  expect(performance.now() - since).toBeGreaterThan(500);
  await client.end();
});

test('a promoted replica takes writes', async () => {
  await using own = await createReplica({ primary: inject('postgres') });
  await own.caughtUp();
  await own.promote();
  const client = new pg.Client(own.through(database.connectionString));
  await client.connect();
  await client.query("insert into word values ('after promotion')");
  await client.end();
  expect(await database.query("select from word where word = 'after promotion'")).toEqual([]);
});
