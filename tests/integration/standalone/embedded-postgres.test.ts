import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, startChild } from '../../support/process.ts';
import { createTempDir, type TempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = new URL('../../support/fixtures/embedded-postgres.ts', import.meta.url).pathname;

const run = promisify(execFile);

interface Ready {
  readonly port: number;
  readonly pid: number;
  readonly connectionString: string;
  readonly socketConnectionString?: string;
  readonly adminConnectionString: string;
}

async function start(dataDir: string) {
  const child = await startChild({ script, args: [dataDir], ownGroup: true });
  const [, json = ''] = await child.waitForLine(/^ready (.+)$/);
  const ready: Ready = JSON.parse(json);
  return { child, ...ready };
}

/** Stopped data of an earlier run that holds the word: a copy of it saves an initdb per test. */
let prepared: TempDir;

beforeAll(async () => {
  prepared = await createTempDir('pg-prepared');
  const { child, connectionString } = await start(prepared.path);
  await using _child = child;
  await query(connectionString, 'create table kept (word text)');
  await query(connectionString, "insert into kept values ('kept')");
  await child.kill('SIGTERM');
});

afterAll(async () => {
  await prepared[Symbol.asyncDispose]();
});

async function earlierData(): Promise<TempDir> {
  const dir = await createTempDir('pg');
  // Forty times as fast as the copying of thousands of small files by Node.
  await run('cp', ['-a', `${prepared.path}/.`, dir.path]);
  return dir;
}

async function query(connectionString: string, sql: string): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const gone = (pid: number) => waitFor(`process ${pid} to end`, () => !alive(pid));
const logged = (child: Child, text: string) => child.lines.some((line) => line.includes(text));

const recall = async (connectionString: string) => (await query(connectionString, 'table kept'))[0]?.word;

test('data survives a restart, with the same passwords and without another initdb', async () => {
  await using dir = await createTempDir('pg');
  const first = await start(dir.path);
  await using _first = first.child;
  await query(first.connectionString, "create table kept as select 'kept' as word");
  await first.child.kill('SIGTERM');
  expect(alive(first.pid)).toBe(false);
  expect(first.child.lines.at(-1)).toBe('stopped');

  const second = await start(dir.path);
  await using _second = second.child;
  expect(await recall(second.connectionString)).toBe('kept');
  expect(logged(second.child, 'making a new PostgreSQL cluster')).toBe(false);
  expect(new URL(second.connectionString).password).toBe(new URL(first.connectionString).password);
});

test('it is durable, private and listens on loopback only', async () => {
  await using dir = await earlierData();
  const { child, connectionString, adminConnectionString } = await start(dir.path);
  await using _child = child;
  const settings = await query(
    connectionString,
    "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'server_encoding', 'data_checksums')",
  );
  expect(Object.fromEntries(settings.map((row) => [row.name, row.setting]))).toEqual({
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
    server_encoding: 'UTF8',
    data_checksums: 'on',
  });
  expect((await stat(join(dir.path, 'credentials.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(dir.path, 'cluster'))).mode & 0o777).toBe(0o700);
  const [role] = await query(connectionString, 'select usesuper from pg_user where usename = current_user');
  expect(role).toEqual({ usesuper: false });
  const [stored] = await query(
    adminConnectionString,
    "select rolpassword like 'SCRAM-SHA-256$%' as scram from pg_authid where rolname = 'nudge'",
  );
  expect(stored).toEqual({ scram: true });

  const wrong = new URL(connectionString);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
});

test('the socket file takes the same password, and no other', async () => {
  await using dir = await earlierData();
  const { child, socketConnectionString } = await start(dir.path);
  await using _child = child;
  const [row] = await query(socketConnectionString ?? '', 'select inet_client_addr() as address, current_user as who');
  expect(row).toEqual({ address: null, who: 'nudge' });
  const wrong = new URL(socketConnectionString ?? '');
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
});

test('where the path is too long for a socket there is TCP only', async () => {
  await using dir = await earlierData();
  const deep = join(dir.path, 'x'.repeat(100));
  await run('cp', ['-a', prepared.path, deep]);
  const { child, connectionString, socketConnectionString } = await start(deep);
  await using _child = child;
  expect(socketConnectionString).toBeUndefined();
  expect(await recall(connectionString)).toBe('kept');
});

test('search finds letters beyond ASCII', async () => {
  await using dir = await earlierData();
  const { child, connectionString } = await start(dir.path);
  await using _child = child;
  await query(connectionString, 'create extension pg_trgm');
  const [row] = await query(connectionString, "select similarity('Привет', 'привет') as alike");
  expect(row).toEqual({ alike: 1 });
});

test('a second start says that it is running already and does not harm the first', async () => {
  await using dir = await earlierData();
  const first = await start(dir.path);
  await using _first = first.child;
  await using second = await startChild({ script, args: [dir.path] });
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.lines.at(-1)).toContain('failed already_running');
  expect(second.lines.at(-1)).toContain(`in process ${first.child.pid}`);
  expect(second.lines.at(-1)).toContain('another DATA_DIR');
  expect(await query(first.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('of two first starts at the same moment one wins and one is refused', async () => {
  await using dir = await createTempDir('pg');
  await using left = await startChild({ script, args: [dir.path] });
  await using right = await startChild({ script, args: [dir.path] });
  const outcomes = await Promise.all([left, right].map(async (child) => (await child.waitForLine(/^(ready|failed already_running)/))[1]));
  expect(new Set(outcomes)).toEqual(new Set(['failed already_running', 'ready']));
});

test('after kill -9 of node its server shuts down by itself, and the next start has the data', async () => {
  await using dir = await earlierData();
  const first = await start(dir.path);
  await using _first = first.child;
  await first.child.kill('SIGKILL');
  await gone(first.pid);

  const second = await start(dir.path);
  await using _second = second.child;
  expect(await recall(second.connectionString)).toBe('kept');
});

test('an orphaned server is stopped by the next start', async () => {
  await using dir = await earlierData();
  const first = await start(dir.path);
  await using _first = first.child;
  // The guard that would have ended the server belongs to the same group and dies with it.
  await first.child.killGroup('SIGKILL');
  expect(alive(first.pid)).toBe(true);

  const second = await start(dir.path);
  await using _second = second.child;
  expect(logged(second.child, 'stopping a PostgreSQL left behind')).toBe(true);
  expect(logged(second.child, `"serverPid":${first.pid}`)).toBe(true);
  await gone(first.pid);
  expect(await recall(second.connectionString)).toBe('kept');
});

test('after kill -9 of node and server together the next start recovers', async () => {
  await using dir = await earlierData();
  const first = await start(dir.path);
  await using _first = first.child;
  process.kill(first.child.pid, 'SIGSTOP');
  process.kill(first.pid, 'SIGKILL');
  await first.child.killGroup('SIGKILL');

  const second = await start(dir.path);
  await using _second = second.child;
  expect(await recall(second.connectionString)).toBe('kept');
  expect(logged(second.child, 'automatic recovery in progress')).toBe(true);
  const sockets = (await readdir(join(dir.path, 'cluster'))).filter((name) => name.startsWith('.s.'));
  expect(sockets.toSorted()).toEqual([`.s.PGSQL.${second.port}`, `.s.PGSQL.${second.port}.lock`]);
});

test('a stale postmaster.pid whose pid now belongs to another process does not hinder', async () => {
  await using dir = await earlierData();
  const first = await start(dir.path);
  await using _first = first.child;
  const pidFile = join(dir.path, 'cluster', 'postmaster.pid');
  const content = await readFile(pidFile, 'utf8');
  await first.child.kill('SIGTERM');
  const owner = await stat(join(dir.path, 'cluster'));
  // PostgreSQL takes only a process of its own user for a running server.
  const bystander = spawn('/bin/sleep', ['1000'], { uid: owner.uid, gid: owner.gid });
  try {
    await once(bystander, 'spawn');
    await writeFile(pidFile, content.replace(/^\d+/, String(bystander.pid)));
    const second = await start(dir.path);
    await using _second = second.child;
    expect(logged(second.child, 'removing a stale postmaster.pid')).toBe(true);
    expect(await recall(second.connectionString)).toBe('kept');
    expect(bystander.exitCode).toBe(null);
  } finally {
    bystander.kill('SIGKILL');
  }
});

test('a crashed server is restarted on the same port, and committed data is there', async () => {
  await using dir = await earlierData();
  const { child, pid, connectionString, socketConnectionString } = await start(dir.path);
  await using _child = child;
  process.kill(pid, 'SIGKILL');
  await child.waitForLine(/^down$/);
  const [, successor] = await child.waitForLine(/^up (\d+)$/);
  expect(Number(successor)).not.toBe(pid);
  expect(await recall(connectionString)).toBe('kept');
  expect(await recall(socketConnectionString ?? '')).toBe('kept');

  process.kill(Number(successor), 'SIGKILL');
  await waitFor('a second restart', () => child.lines.filter((line) => line.startsWith('up ')).length === 2);
  expect(await recall(connectionString)).toBe('kept');
});

test('stopping while a restart is under way leaves nothing behind', async () => {
  await using dir = await earlierData();
  const { child, pid } = await start(dir.path);
  await using _child = child;
  process.kill(pid, 'SIGKILL');
  await child.waitForLine(/^down$/);
  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const next = await start(dir.path);
  await using _next = next.child;
  expect(logged(next.child, 'left behind')).toBe(false);
});

test('an open transaction does not hold up the shutdown', async () => {
  await using dir = await earlierData();
  const { child, connectionString } = await start(dir.path);
  await using _child = child;
  const client = new pg.Client(connectionString);
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query('create table never_committed (x int)');
  const ended = new Promise((resolve) => client.once('end', resolve));
  const begun = performance.now();
  await child.kill('SIGTERM');
  expect(performance.now() - begun).toBeLessThan(5_000);
  await ended;
});

test('an initdb that was killed half way is redone', async () => {
  const staged = async ({ path }: TempDir) => (await readdir(path)).find((name) => name.startsWith('cluster.init-'));
  const killed = async (): Promise<TempDir | undefined> => {
    await using stack = new AsyncDisposableStack();
    const half = stack.use(await createTempDir('pg'));
    await using first = await startChild({ script, args: [half.path], ownGroup: true });
    await first.waitForLine(/making a new PostgreSQL cluster/);
    await waitFor('files of initdb', async () => {
      const name = await staged(half);
      return name === undefined ? existsSync(join(half.path, 'cluster')) : (await readdir(join(half.path, name))).length > 3;
    });
    await first.killGroup('SIGKILL');
    if ((await staged(half)) === undefined) return undefined;
    stack.move();
    return half;
  };
  // When this process stood still meanwhile, initdb may have come to its end.
  await using dir = await waitFor('an initdb to be killed half way', killed, { timeoutMs: 20_000 });

  const second = await start(dir.path);
  await using _second = second.child;
  expect(await query(second.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
  expect(await staged(dir)).toBeUndefined();
});

test('lost credentials are replaced, the data stays', async () => {
  await using dir = await earlierData();
  const credentials = join(dir.path, 'credentials.json');
  const before = await readFile(credentials, 'utf8');
  await rm(credentials);

  const second = await start(dir.path);
  await using _second = second.child;
  expect(await readFile(credentials, 'utf8')).not.toBe(before);
  expect(await recall(second.connectionString)).toBe('kept');
});

test('a copy of the data beside the running original is a cluster of its own', async () => {
  await using dir = await earlierData();
  await using other = await earlierData();
  const original = await start(dir.path);
  await using _original = original.child;
  const copy = await start(other.path);
  await using _copy = copy.child;
  await query(copy.connectionString, "update kept set word = 'changed'");
  expect(await recall(original.connectionString)).toBe('kept');
});

test('data of another major version is refused and left as it is', async () => {
  await using dir = await createTempDir('pg');
  await mkdir(join(dir.path, 'cluster'), { mode: 0o700 });
  await writeFile(join(dir.path, 'cluster', 'PG_VERSION'), '13\n');
  await using child = await startChild({ script, args: [dir.path] });
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(child.lines.at(-1)).toMatch(/^failed wrong_major_version .*PostgreSQL 13.*PostgreSQL 18/);
  expect(await readFile(join(dir.path, 'cluster', 'PG_VERSION'), 'utf8')).toBe('13\n');
});

test('something else in the place of the cluster is refused and left as it is', async () => {
  await using dir = await createTempDir('pg');
  await mkdir(join(dir.path, 'cluster'));
  await writeFile(join(dir.path, 'cluster', 'letter.txt'), 'dear');
  await using child = await startChild({ script, args: [dir.path] });
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(child.lines.at(-1)).toContain('failed not_a_cluster');
  expect(await readFile(join(dir.path, 'cluster', 'letter.txt'), 'utf8')).toBe('dear');
});
