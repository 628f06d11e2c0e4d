import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import type { PostgresLog } from './log.ts';
import { listProcesses, type ProcessInfo, pidIsTaken, signalProcess } from './process-table.ts';
import type { StopDeadlines } from './server-process.ts';

const POLL_MS = 25;
const SOCKET_PREFIX = '.s.PGSQL.';

/**
 * The `cluster_name` of a cluster: from its place on disk, so a copy of the data has another one.
 * It stands in the command line of the server and in the titles of all its children.
 */
export async function clusterNameOf(clusterDir: string): Promise<string> {
  const { dev, ino } = await stat(clusterDir, { bigint: true });
  return `nudge-${dev.toString(36)}-${ino.toString(36)}`;
}

/**
 * Makes room for a new server on this cluster. Call it only as the owner of the data directory, with
 * no server of its own: then whatever still runs on the cluster has lost its parent.
 *
 * A server left behind is stopped, not adopted: only a child's end is reported to its parent and
 * only a child's log can be read, and its settings may be those of an older release. A fast shutdown
 * loses nothing that was committed.
 */
export async function settleLeftovers(clusterDir: string, deadlines: StopDeadlines, log: PostgresLog): Promise<void> {
  const name = await clusterNameOf(clusterDir);
  await stopProcesses(name, deadlines, log);
  await settlePidFile(clusterDir, log);
  await removeSockets(clusterDir);
}

async function stopProcesses(name: string, deadlines: StopDeadlines, log: PostgresLog): Promise<void> {
  const steps: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', deadlines.fastMs],
    ['SIGQUIT', deadlines.immediateMs],
    ['SIGKILL', deadlines.immediateMs],
  ];
  for (const [signal, patienceMs] of steps) {
    const left = await processesOf(name);
    if (left.length === 0) return;
    const server = left.find((found) => isServer(found, name));
    log.warn(
      { signal, serverPid: server?.pid, processes: left.length },
      server
        ? 'stopping a PostgreSQL left behind by a process that ended unexpectedly'
        : 'waiting for the children of a PostgreSQL that died',
    );
    // The server takes its children with it. Orphaned children end by themselves, except that a
    // busy one may have to be told.
    if (server) signalProcess(server.pid, signal);
    else if (signal !== 'SIGINT') for (const child of left) signalProcess(child.pid, signal);
    if (await allGone(name, patienceMs)) return;
  }
  throw new EmbeddedPostgresError(
    'already_running',
    `PostgreSQL processes of an earlier run do not end: ${(await processesOf(name)).map((p) => p.pid).join(', ')}. ` +
      `End them (kill -9) and start again.`,
  );
}

/**
 * PostgreSQL removes a stale `postmaster.pid` itself, but for one case: the pid in it now belongs to
 * another process, or to a zombie. Then it refuses to start, and the file is removed here.
 */
async function settlePidFile(clusterDir: string, log: PostgresLog): Promise<void> {
  const path = join(clusterDir, 'postmaster.pid');
  const pid = await pidIn(path);
  if (pid === undefined || !pidIsTaken(pid)) return;
  if (await worksIn(pid, clusterDir)) {
    throw new EmbeddedPostgresError(
      'already_running',
      `Another PostgreSQL (process ${pid}), not started by Nudge, runs on ${clusterDir}. Stop it first (kill -INT ${pid}).`,
    );
  }
  log.warn({ dataDir: clusterDir, serverPid: pid }, 'removing a stale postmaster.pid whose pid belongs to another process now');
  await rm(path, { force: true });
}

/** A server that was killed leaves its socket and the lock of it, named after a port of its own. */
async function removeSockets(clusterDir: string): Promise<void> {
  for (const name of await readdir(clusterDir)) {
    if (name.startsWith(SOCKET_PREFIX)) await rm(join(clusterDir, name), { force: true });
  }
}

async function pidIn(path: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(path, 'utf8'), 10);
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Whether a process is a PostgreSQL on this cluster: servers work inside their data directory. */
async function worksIn(pid: number, clusterDir: string): Promise<boolean> {
  const found = (await listProcesses()).find((candidate) => candidate.pid === pid);
  if (!found || !/(^|\/)(postgres|postmaster)\b/.test(found.command)) return false;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(clusterDir));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH') && !pidIsTaken(pid)) return false;
    // Unknown is treated as running: a refusal can be settled by hand, two servers cannot.
    return true;
  }
}

async function allGone(name: string, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while ((await processesOf(name)).length > 0) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

async function processesOf(name: string): Promise<ProcessInfo[]> {
  const all = await listProcesses();
  return all.filter((found) => isServer(found, name) || found.command.startsWith(`postgres: ${name}: `));
}

function isServer(found: ProcessInfo, name: string): boolean {
  return found.command.includes('/postgres -D ') && found.command.includes(` cluster_name=${name} `);
}
