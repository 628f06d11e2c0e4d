import { randomBytes } from 'node:crypto';
import { copyFile, lchown, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort, launchServer, prepareBinaries, serverSettings, serverUserFor } from '@nudge/standalone/postgres';
import pg from 'pg';
import { collectLog } from './logs.ts';
import { createTempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const STOP = { fastMs: 5_000, immediateMs: 2_000 };

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

export interface Primary {
  readonly adminConnectionString: string;
  readonly clusterDir: string;
}

export interface ReplicaOptions {
  readonly primary: Primary;
  /** Replays every commit this much later than the primary made it. Milliseconds, 0 by default. */
  readonly applyDelayMs?: number;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A hot standby that streams from a primary. Its databases, roles and passwords are the primary's. */
export interface Replica extends AsyncDisposable {
  readonly port: number;
  /** The same connection string on the replica. */
  through(primaryConnectionString: string): string;
  /** Stops replaying; what is received is kept. Resolves when replay stands still. */
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
  /** Resolves when everything that the primary had written at the call is visible here. */
  caughtUp(): Promise<void>;
  /** Ends being a standby: it takes writes from then on, on a new timeline. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes a replica without `pg_basebackup`: `pg_backup_start`, a copy of the files, `pg_backup_stop`
 * and `standby.signal`. A replication slot keeps the WAL that the copy needs.
 * @see https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
 */
export async function createReplica(options: ReplicaOptions): Promise<Replica> {
  const { primary } = options;
  const slot = `replica_${randomBytes(6).toString('hex')}`;
  const dir = await createTempDir('replica');
  const clusterDir = join(dir.path, 'cluster');
  const admin = new pg.Client(primary.adminConnectionString);
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    await admin.query('select pg_create_physical_replication_slot($1, true)', [slot]);
    await baseBackup(admin, primary.clusterDir, clusterDir);
    await configure(clusterDir, primary, slot);
    return await startReplica(options, { slot, clusterDir, dispose: () => dir[Symbol.asyncDispose]() });
  } catch (error) {
    await dropSlot(primary, slot);
    await dir[Symbol.asyncDispose]();
    throw error;
  } finally {
    await admin.end();
  }
}

async function baseBackup(admin: pg.Client, from: string, to: string): Promise<void> {
  await admin.query("select pg_backup_start('replica', true)");
  await copyTree(from, to);
  const { rows } = await admin.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
  await writeAs(to, 'backup_label', rows[0]?.labelfile ?? '');
}

async function configure(clusterDir: string, primary: Primary, slot: string): Promise<void> {
  const { hostname, port, username, password } = new URL(primary.adminConnectionString);
  const conninfo = `host=${hostname} port=${port} user=${username} password=${password}`;
  const lines = [`primary_conninfo = '${conninfo}'`, `primary_slot_name = '${slot}'`, 'hot_standby = on'];
  await writeAs(clusterDir, 'postgresql.auto.conf', `${lines.join('\n')}\n`);
  await writeAs(clusterDir, 'standby.signal', '');
}

interface Prepared {
  readonly slot: string;
  readonly clusterDir: string;
  readonly dispose: () => PromiseLike<void>;
}

async function startReplica(options: ReplicaOptions, prepared: Prepared): Promise<Replica> {
  const { primary, applyDelayMs = 0 } = options;
  const { log, lines } = collectLog();
  const user = await serverUserFor(prepared.clusterDir);
  const binaries = await prepareBinaries({ users: [user], copyInto: prepared.clusterDir, log });
  const port = await findFreePort();
  const overrides = {
    ...(await settingsOf(primary)),
    recovery_min_apply_delay: `${applyDelayMs}ms`,
    ...options.settings,
  };
  const server = await launchServer({
    binaries,
    clusterDir: prepared.clusterDir,
    user,
    settings: serverSettings({ port, clusterName: prepared.slot, durable: false, overrides }),
    log,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      await server.stop(STOP);
      await dropSlot(primary, prepared.slot);
      await prepared.dispose();
    })();
    return stopped;
  };
  try {
    await server.ready({ timeoutMs: 30_000 });
  } catch (error) {
    await stop();
    throw new Error(`the replica did not start:\n${lines.join('\n')}`, { cause: error });
  }
  const through = (url: string) => {
    const changed = new URL(url);
    changed.port = String(port);
    return changed.href;
  };
  const ask = <T extends pg.QueryResultRow>(sql: string, values: unknown[] = []) =>
    query<T>(through(primary.adminConnectionString), sql, values);
  return {
    port,
    through,
    stop,
    async pauseReplay() {
      await ask('select pg_wal_replay_pause()');
      await waitFor('replay to pause', async () => {
        const [row] = await ask<{ state: string }>('select pg_get_wal_replay_pause_state() as state');
        return row?.state === 'paused';
      });
    },
    async resumeReplay() {
      await ask('select pg_wal_replay_resume()');
    },
    async caughtUp() {
      const [head] = await query<{ lsn: string }>(primary.adminConnectionString, 'select pg_current_wal_lsn() as lsn');
      await waitFor(`replay to reach ${head?.lsn}`, async () => {
        const [row] = await ask<{ there: boolean }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as there', [head?.lsn]);
        return row?.there;
      });
    },
    async promote() {
      await ask('select pg_promote(true, 30)');
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** A standby refuses to start with less room than its primary for what is in the WAL. */
async function settingsOf(primary: Primary): Promise<Record<string, string>> {
  const rows = await query<{ name: string; setting: string }>(
    primary.adminConnectionString,
    `select name, setting from pg_settings where name in ('max_connections', 'max_worker_processes',
       'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')`,
  );
  return Object.fromEntries(rows.map((row) => [row.name, row.setting]));
}

/** An unused slot would keep the primary's WAL for ever. The primary may be gone already. */
async function dropSlot(primary: Primary, slot: string): Promise<void> {
  await query(
    primary.adminConnectionString,
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active',
    [slot],
  ).catch(() => undefined);
}

async function query<T extends pg.QueryResultRow>(connectionString: string, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client(connectionString);
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
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeAs(dir: string, name: string, content: string): Promise<void> {
  const { uid, gid } = await stat(dir);
  const path = join(dir, name);
  await writeFile(path, content, { mode: 0o600 });
  await lchown(path, uid, gid);
}
