import { chown, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresBinaries } from './binaries.ts';
import type { Credentials } from './credentials.ts';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import type { PostgresLog } from './log.ts';
import { runTool } from './run-tool.ts';
import { giveTree, type ServerUser } from './server-user.ts';

const STAGING_PREFIX = 'cluster.init-';

/** Passwords everywhere, on the socket file too: its directory is private, but a rule is a rule. */
const HOST_RULES = [
  'local all all scram-sha-256',
  'host all all 127.0.0.1/32 scram-sha-256',
  'host replication postgres 127.0.0.1/32 scram-sha-256',
  '',
].join('\n');

interface ClusterOptions {
  readonly binaries: PostgresBinaries;
  readonly clusterDir: string;
  readonly credentials: Credentials;
  /** Who runs the server; undefined for the calling user. */
  readonly serverUser: ServerUser | undefined;
  /** Who runs `initdb` and single-user mode, which want an account; undefined as above. */
  readonly creator: ServerUser | undefined;
  /** False leaves out every fsync: for throw-away clusters of tests only. */
  readonly durable: boolean;
}

interface CreateOptions extends ClusterOptions {
  readonly dataDir: string;
  readonly log: PostgresLog;
}

/**
 * `-D` for a server whose working directory already is the cluster. Under root the server's user may
 * be unable to walk the path to it (a clone in root's home). It need not: it is started inside, and
 * this link of procfs leads there without a look at the directories above.
 */
export function dataDirArgument(clusterDir: string, user: ServerUser | undefined): string {
  return user === undefined ? clusterDir : '/proc/self/cwd';
}

/**
 * True when a cluster of the right version is there, false when none is. Anything else that
 * lies in its place is refused and never touched.
 */
export async function clusterExists(clusterDir: string, major: number): Promise<boolean> {
  let found: string;
  try {
    found = (await readFile(join(clusterDir, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    if (!(await exists(clusterDir))) return false;
    throw new EmbeddedPostgresError(
      'not_a_cluster',
      `${clusterDir} is there but holds no PostgreSQL data. Restore it from a backup, move it away, or choose another DATA_DIR.`,
    );
  }
  if (found === String(major)) return true;
  throw new EmbeddedPostgresError(
    'wrong_major_version',
    `${clusterDir} was written by PostgreSQL ${found}, this Nudge carries PostgreSQL ${major}. Nothing was changed. ` +
      `Run the Nudge release that wrote it, or move the data over with pg_dump and pg_restore into another DATA_DIR.`,
  );
}

/**
 * Makes the cluster with its roles and database. Everything happens in a staging directory that is
 * renamed at the end, so a cluster is there whole or not at all, whenever the process is killed.
 */
export async function createCluster(options: CreateOptions): Promise<void> {
  await removeStagings(options.dataDir);
  const staging = await mkdtemp(join(options.dataDir, STAGING_PREFIX));
  try {
    if (options.creator) await chown(staging, options.creator.uid, options.creator.gid);
    await runInitdb(staging, options);
    await applySql(staging, options, [
      `alter role postgres password '${options.credentials.adminPassword}'`,
      `create role nudge login password '${options.credentials.password}'`,
      'create database nudge owner nudge',
      'revoke connect on database nudge from public',
    ]);
    await writeFile(join(staging, 'pg_hba.conf'), HOST_RULES, { flush: options.durable });
    if (options.serverUser) await giveTree(staging, options.serverUser);
    await rename(staging, options.clusterDir);
    if (options.durable) await syncDirectory(options.dataDir);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Sets both passwords of a stopped cluster: for when the file that held them was lost. */
export async function resetPasswords(options: ClusterOptions): Promise<void> {
  const { clusterDir, creator, serverUser, credentials } = options;
  if (creator) await giveTree(clusterDir, creator);
  await applySql(clusterDir, options, [
    `alter role postgres password '${credentials.adminPassword}'`,
    `alter role nudge password '${credentials.password}'`,
  ]);
  if (serverUser) await giveTree(clusterDir, serverUser);
}

/** What an earlier start left when it was killed half way. */
async function removeStagings(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Order by code point and Unicode case rules from PostgreSQL's builtin provider, the same on every
 * machine. `lc_ctype` matters to pg_trgm alone: with plain C it finds no letters beyond ASCII.
 */
async function runInitdb(staging: string, options: CreateOptions): Promise<void> {
  const { binaries, creator, durable, log } = options;
  const initdb = (ctype: string) => {
    const args = ['-D', dataDirArgument(staging, creator), '--username=postgres', '--auth=reject'];
    args.push('--encoding=UTF8', '--locale=C', `--lc-ctype=${ctype}`);
    args.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--data-checksums');
    if (!durable) args.push('--no-sync');
    return runTool(binaries.initdb, args, { cwd: staging, user: creator });
  };
  const first = await initdb('C.UTF-8');
  if (first.code === 0) return;
  const second = await initdb('C');
  if (second.code !== 0) {
    throw new EmbeddedPostgresError(
      'init_failed',
      `PostgreSQL could not set up its data in ${options.dataDir}: ${lastLines(second.stderr)}`,
    );
  }
  log.warn({ reason: lastLines(first.stderr) }, 'no locale C.UTF-8: search knows ASCII letters only');
}

/** Runs statements in single-user mode: no port is open, and no password is needed or shown. */
async function applySql(clusterDir: string, { binaries, creator, durable }: ClusterOptions, statements: readonly string[]): Promise<void> {
  const args = ['--single', '-D', dataDirArgument(clusterDir, creator), '-c', 'exit_on_error=on'];
  args.push('-c', 'log_min_messages=fatal', '-c', `fsync=${durable ? 'on' : 'off'}`, 'postgres');
  const input = `${statements.join(';\n')};\n`;
  const { code, stderr } = await runTool(binaries.postgres, args, { cwd: clusterDir, user: creator, input });
  if (code === 0) return;
  throw new EmbeddedPostgresError('init_failed', `PostgreSQL could not set up its roles in ${clusterDir}: ${lastLines(stderr)}`);
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' ');
}

async function exists(path: string): Promise<boolean> {
  try {
    await readdir(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const dir = await open(path, 'r');
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}
