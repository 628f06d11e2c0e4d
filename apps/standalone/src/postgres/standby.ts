import { copyFile, lchown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { hasErrno } from './errors.ts';
import type { ServerSettings } from './server-settings.ts';

/** Directories whose content a new standby must not inherit; it fetches the WAL by streaming. */
const LEFT_EMPTY = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
]);
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts']);

/** The server that a standby follows: superuser on `postgres`, and its files. */
export interface Primary {
  readonly adminConnectionString: string;
  readonly clusterDir: string;
}

export interface StandbyFiles {
  readonly primary: Primary;
  /** Where the standby's files go; must not exist. */
  readonly clusterDir: string;
  /** Name of its replication slot, made here: it keeps the WAL that the copy needs. */
  readonly slot: string;
}

/**
 * Makes the files of a hot standby without `pg_basebackup`: `pg_backup_start`, a copy, `pg_backup_stop` and `standby.signal`.
 * @see https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
export async function prepareStandby({ primary, clusterDir, slot }: StandbyFiles): Promise<void> {
  const admin = new pg.Client(primary.adminConnectionString);
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    await admin.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    await admin.query("select pg_backup_start('standby', true)");
    await copyTree(primary.clusterDir, clusterDir);
    const { rows } = await admin.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
    await writeAs(clusterDir, 'backup_label', rows[0]?.labelfile ?? '');
    const { hostname, port, username, password } = new URL(primary.adminConnectionString);
    const conninfo = `host=${hostname} port=${port} user=${username} password=${password}`;
    const lines = [`primary_conninfo = '${conninfo}'`, `primary_slot_name = '${slot}'`, 'hot_standby = on'];
    await writeAs(clusterDir, 'postgresql.auto.conf', `${lines.join('\n')}\n`);
    await writeAs(clusterDir, 'standby.signal', '');
  } catch (error) {
    await dropSlot(primary, slot);
    throw error;
  } finally {
    await admin.end();
  }
}

/** A standby refuses to start with less room than its primary for what is in the WAL. */
export async function standbySettings(primary: Primary): Promise<ServerSettings> {
  const rows = await ask<{ name: string; setting: string }>(
    primary,
    `select name, setting from pg_settings where name in ('max_connections', 'max_worker_processes',
       'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')`,
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.setting]));
}

/** An unused slot would keep the primary's WAL for ever. The primary may be gone already. */
export async function dropSlot(primary: Primary, slot: string): Promise<void> {
  const sql = 'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active';
  await ask(primary, sql, [slot]).catch(() => undefined);
}

async function ask<T extends pg.QueryResultRow>({ adminConnectionString }: Primary, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client(adminConnectionString);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Copies a live cluster: files may grow or vanish meanwhile, which the WAL makes good. */
async function copyTree(from: string, to: string, depth = 0): Promise<void> {
  const found = await unlessGone(async () => ({ owner: await stat(from), entries: await readdir(from, { withFileTypes: true }) }));
  if (found === undefined) return;
  const { uid, gid } = found.owner;
  await mkdir(to, { mode: 0o700 });
  await lchown(to, uid, gid);
  for (const entry of found.entries) {
    if (depth === 0 && (LEFT_OUT.has(entry.name) || entry.name.startsWith('.s.PGSQL.'))) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (!entry.isDirectory()) await copyIfThere(source, target, uid, gid);
    else if (depth === 0 && LEFT_EMPTY.has(entry.name)) {
      await mkdir(target, { mode: 0o700 });
      await lchown(target, uid, gid);
    } else await copyTree(source, target, depth + 1);
  }
}

async function copyIfThere(source: string, target: string, uid: number, gid: number): Promise<void> {
  await unlessGone(async () => {
    await copyFile(source, target);
    await lchown(target, uid, gid);
  });
}

/** A database dropped meanwhile takes its directory with it, file by file. */
async function unlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function writeAs(dir: string, name: string, content: string): Promise<void> {
  const { uid, gid } = await stat(dir);
  const path = join(dir, name);
  await writeFile(path, content, { mode: 0o600 });
  await lchown(path, uid, gid);
}
