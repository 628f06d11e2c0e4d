import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { createTestDatabase } from './database.ts';
import { seedApp } from './seed.ts';

async function databases(): Promise<string[]> {
  const admin = new pg.Client(inject('postgres').adminConnectionString);
  await admin.connect();
  const { rows } = await admin.query<{ datname: string }>('select datname from pg_database');
  await admin.end();
  return rows.map((row) => row.datname);
}

test('two test databases share nothing, and go away', async () => {
  const names: string[] = [];
  {
    await using one = await createTestDatabase();
    await using two = await createTestDatabase();
    names.push(one.name, two.name);
    await one.query('create table mine (x int)');
    expect(await two.query("select to_regclass('mine') as found")).toEqual([{ found: null }]);
    expect(await databases()).toEqual(expect.arrayContaining(names));
  }
  const left = await databases();
  expect(names.filter((name) => left.includes(name))).toEqual([]);
});

test('a connection that was left open fails, and the database goes away all the same', async () => {
  const database = await createTestDatabase({ leakGraceMs: 500 });
  const leak = new pg.Client({
    connectionString: database.connectionString,
    application_name: 'forgotten',
  });
  const ended = new Promise((resolve) => leak.once('end', resolve));
  leak.on('error', () => undefined);
  await leak.connect();
  await leak.query('select 42');
  await expect(database[Symbol.asyncDispose]()).rejects.toThrow(/left open:\nforgotten, idle: select 42/);
  await ended;
  expect(await databases()).not.toContain(database.name);
});

test('a test database is migrated, and a seeded app can be found in it', async () => {
  await using database = await createTestDatabase();
  const app = await seedApp(database, 'acme', { users: ['anna', 'ben'] });
  expect(app.token('anna').split('.')).toHaveLength(3);
  expect(await database.query('select id from chat_user order by id')).toEqual([{ id: 'anna' }, { id: 'ben' }]);
  expect(await database.query('select kind from app_key order by kind')).toEqual([{ kind: 'hs256' }, { kind: 'server' }]);
});
