import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockTimeout, MigrationFailed, MigrationHistoryError, type MigrationProgress, migrate } from '@nudge/db';
import { drift } from '@nudge/db/drift';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createTempDir, type TempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const SHIPPED = join(import.meta.dirname, '../../../prisma/migrations');
const SCHEMA = join(import.meta.dirname, '../../../prisma/schema.prisma');

let url: string;
let admin: pg.Client;
let client: pg.Client;
let dir: TempDir;
beforeEach(async () => {
  const name = `migrations_${randomBytes(6).toString('hex')}`;
  admin = new pg.Client(inject('postgres').adminConnectionString);
  await admin.connect();
  await admin.query(`create database ${name} owner nudge`);
  const address = new URL(inject('postgres').connectionString);
  address.pathname = `/${name}`;
  url = address.href;
  client = new pg.Client(url);
  await client.connect();
  dir = await createTempDir('migrations');
});
afterEach(async () => {
  const { pathname } = new URL(url);
  await client.end();
  await admin.query(`drop database ${pathname.slice(1)}`);
  await admin.end();
  await dir[Symbol.asyncDispose]();
});

const write = async (name: string, sql: string) => {
  await mkdir(join(dir.path, name), { recursive: true });
  await writeFile(join(dir.path, name, 'migration.sql'), sql);
};
const exists = async (name: string) => (await client.query('select to_regclass($1) is not null as found', [name])).rows[0].found;

test('applies everything once, with progress, recorded as Prisma does', async () => {
  const progress: MigrationProgress[] = [];
  const first = await migrate(url, { onProgress: (step) => progress.push(step) });
  expect(first.before).toEqual([]);
  expect(first.applied.length).toBeGreaterThan(0);
  expect(progress.map((step) => step.step)).toEqual(first.applied.flatMap(() => ['applying', 'applied']));
  const { rows } = await client.query(
    'select migration_name, length(checksum) as length, finished_at, rolled_back_at, applied_steps_count from _prisma_migrations',
  );
  expect(rows.map((row) => row.migration_name).sort()).toEqual(first.applied);
  for (const row of rows)
    expect(row).toMatchObject({ length: 64, finished_at: expect.any(Date), rolled_back_at: null, applied_steps_count: 1 });
  expect(await migrate(url)).toEqual({ applied: [], before: first.applied });
});

test('a dry run says what would happen and changes nothing', async () => {
  const progress: MigrationProgress[] = [];
  const { applied } = await migrate(url, { dryRun: true, onProgress: (step) => progress.push(step) });
  expect(applied.length).toBeGreaterThan(0);
  expect(progress.every((step) => step.step === 'would apply')).toBe(true);
  expect(
    (await client.query("select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'")).rows,
  ).toEqual([]);
  await migrate(url);
  expect(await migrate(url, { dryRun: true })).toEqual({ applied: [], before: applied });
});

test('an applied migration that was changed is refused, by a dry run too', async () => {
  await write('1_one', 'create table one (id int primary key)');
  await migrate(url, { directory: dir.path });
  await write('1_one', 'create table one (id int primary key); -- later thought');
  await write('2_two', 'create table two (id int primary key)');
  for (const dryRun of [true, false]) {
    const refused = migrate(url, { directory: dir.path, dryRun });
    await expect(refused).rejects.toBeInstanceOf(MigrationHistoryError);
    await expect(refused).rejects.toThrow(/1_one was changed after it had been applied/);
  }
  expect(await exists('two')).toBe(false);
});

test('a history from elsewhere is refused: unknown, late, or half done', async () => {
  await write('2_two', 'create table two (id int primary key)');
  await migrate(url, { directory: dir.path });
  await write('1_one', 'create table one (id int primary key)');
  await expect(migrate(url, { directory: dir.path })).rejects.toThrow(/1_one sorts before 2_two/);
  await expect(migrate(url, { directory: SHIPPED })).rejects.toThrow(/has migration 2_two, which is not here/);
  await client.query('update _prisma_migrations set finished_at = null');
  await expect(migrate(url, { directory: dir.path })).rejects.toThrow(/2_two was begun by another tool and not finished/);
});

test('a failing migration leaves nothing of itself and stops the rest', async () => {
  await write('1_one', 'create table one (id int primary key)');
  await write('2_two', 'create table two (id int primary key); do $$ begin perform 1/0; end $$; create table more (id int primary key)');
  await write('3_three', 'create table three (id int primary key)');
  const failed = migrate(url, { directory: dir.path });
  await expect(failed).rejects.toBeInstanceOf(MigrationFailed);
  await expect(failed).rejects.toMatchObject({ migration: '2_two' });
  expect([await exists('one'), await exists('two'), await exists('more'), await exists('three')]).toEqual([true, false, false, false]);
  await write('2_two', 'create table two (id int primary key)');
  expect((await migrate(url, { directory: dir.path })).applied).toEqual(['2_two', '3_three']);
});

test('a body with semicolons is one statement', async () => {
  await write(
    '1_one',
    'create function f() returns int language plpgsql as $$ declare x int; begin x := 1; return x; end $$; create table one (id int default f())',
  );
  await migrate(url, { directory: dir.path });
  expect((await client.query('insert into one default values returning id')).rows).toEqual([{ id: 1 }]);
});

test('two migrators at once: one applies, the other waits and finds it done', async () => {
  await cp(SHIPPED, dir.path, { recursive: true });
  await write('99999999999999_slow', 'select pg_sleep(0.2); create table slow (id int primary key)');
  const steps: string[] = [];
  const run = () => migrate(url, { directory: dir.path, onProgress: (progress) => steps.push(progress.step) });
  // Neither begins before both have come: who connects when the other has finished would not wait.
  await client.query('select pg_advisory_lock(72707369)');
  const running = Promise.all([run(), run()]);
  await waitFor('both to wait', () => steps.filter((step) => step === 'waiting').length === 2);
  await client.query('select pg_advisory_unlock(72707369)');
  const results = await running;
  const total = results.map((result) => result.applied.length).sort((a, b) => a - b);
  expect(total[0]).toBe(0);
  expect(total[1]).toBeGreaterThan(1);
});

test('a migrator waits no longer than it was told', async () => {
  await client.query('select pg_advisory_lock(72707369)');
  await expect(migrate(url, { migratorTimeoutMs: 50 })).rejects.toBeInstanceOf(LockTimeout);
  expect(await exists('_prisma_migrations')).toBe(false);
});

test('a migration waits for a table no longer than it was told', async () => {
  await write('1_one', 'create table one (id int primary key)');
  await migrate(url, { directory: dir.path });
  await write('2_two', 'alter table one add column more int');
  await client.query('begin');
  await client.query('select * from one');
  await expect(migrate(url, { directory: dir.path, lockTimeoutMs: 50 })).rejects.toMatchObject({
    name: 'MigrationFailed',
    cause: expect.any(LockTimeout),
  });
  await client.query('rollback');
  expect((await migrate(url, { directory: dir.path })).applied).toEqual(['2_two']);
});

test('schema.prisma agrees with the migrations, and a column on either side alone is found', async () => {
  await migrate(url);
  expect(await drift(url)).toBeNull();
  const schema = await readFile(SCHEMA, 'utf8');
  expect(await drift(url, schema.replace('  lastSeq        BigInt', '  surplus Int?\n  lastSeq        BigInt'))).toMatch(
    /conversation[\s\S]*surplus/,
  );
  await client.query('alter table pin add column surplus int');
  expect(await drift(url)).toMatch(/pin[\s\S]*surplus/);
  await client.query('alter table pin drop column surplus');
  await client.query('drop index outbox_next_at');
  expect(await drift(url)).toMatch(/outbox/);
  await waitFor('the drift check to close its connections', async () => {
    const { rows } = await client.query('select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
    return rows.length === 0;
  });
});
