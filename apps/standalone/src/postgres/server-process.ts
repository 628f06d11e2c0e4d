import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresBinaries } from './binaries.ts';
import { dataDirArgument } from './create-cluster.ts';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import type { PostgresLog } from './log.ts';
import { guardAgainstOrphaning } from './orphan-guard.ts';
import { signalProcess } from './process-table.ts';
import { spawnAs, spawnOptions } from './run-tool.ts';
import { type ServerSettings, settingsArguments } from './server-settings.ts';
import type { ServerUser } from './server-user.ts';

const READY_POLL_MS = 15;
const REMEMBERED_LINES = 5;

/** How a server process ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long `stop` waits for each way of shutting down before it tries the harder one. */
export interface StopDeadlines {
  /** Fast: roll back, disconnect, checkpoint. Milliseconds. */
  readonly fastMs: number;
  /** Immediate: no checkpoint, the next start recovers from the log. Milliseconds. */
  readonly immediateMs: number;
}

export interface LaunchOptions {
  readonly binaries: PostgresBinaries;
  readonly clusterDir: string;
  readonly user: ServerUser | undefined;
  readonly settings: ServerSettings;
  readonly log: PostgresLog;
}

/** One run of `postgres`, from its start to its end. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Resolves when it takes connections; rejects when it ends, when time is up or on abort. */
  ready(options: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<void>;
  /** Fast shutdown, then immediate, then SIGKILL. Resolves when the process has ended. */
  stop(deadlines: StopDeadlines): Promise<ServerExit>;
}

/** Starts `postgres` in a session of its own, so that Ctrl-C in a terminal reaches only Node. */
export async function launchServer(options: LaunchOptions): Promise<ServerProcess> {
  const { binaries, clusterDir, user, settings } = options;
  const args = ['-D', dataDirArgument(clusterDir, user), ...settingsArguments(settings)];
  const child = spawnAs(user, () =>
    spawn(binaries.postgres, args, {
      ...spawnOptions(clusterDir, user),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    }),
  );
  const exited = new Promise<ServerExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      if (child.pid !== undefined) resolve(child.pid);
    });
  });
  const lines = child.stderr === null ? [] : relayLog(child.stderr, options.log);
  const dismissGuard = guardAgainstOrphaning(pid, user);
  let ended = false;
  const exit = exited.then((result) => {
    ended = true;
    dismissGuard();
    return result;
  });

  async function ready({ timeoutMs, signal }: Parameters<ServerProcess['ready']>[0]) {
    const deadline = performance.now() + timeoutMs;
    while (!ended) {
      signal?.throwIfAborted();
      if (await reportsReady(clusterDir, pid)) return;
      if (performance.now() > deadline) {
        throw startFailed(clusterDir, `it was not ready after ${timeoutMs} ms`, lines);
      }
      await delay(READY_POLL_MS);
    }
    const { code, signal: killer } = await exit;
    throw startFailed(clusterDir, killer ? `it was ended by ${killer}` : `it ended with code ${code}`, lines);
  }

  async function stop({ fastMs, immediateMs }: StopDeadlines) {
    for (const [signal, patienceMs] of [
      ['SIGINT', fastMs],
      ['SIGQUIT', immediateMs],
    ] as const) {
      if (ended) return exit;
      signalProcess(pid, signal);
      await Promise.race([exit, delay(patienceMs, undefined, { ref: false })]);
    }
    if (!ended) signalProcess(pid, 'SIGKILL');
    return exit;
  }

  return { pid, exited: exit, ready, stop };
}

/**
 * `postmaster.pid` is how PostgreSQL tells its own tools: line 1 is the pid, line 8 the state
 * (src/include/utils/pidfile.h). A hot standby says `ready` as well.
 */
async function reportsReady(clusterDir: string, pid: number): Promise<boolean> {
  try {
    const lines = (await readFile(join(clusterDir, 'postmaster.pid'), 'utf8')).split('\n');
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Passes the server's log on, line by line; returns the window of its latest lines. */
function relayLog(stderr: NodeJS.ReadableStream, log: PostgresLog): string[] {
  const latest: string[] = [];
  createInterface({ input: stderr }).on('line', (line) => {
    latest.push(line);
    if (latest.length > REMEMBERED_LINES) latest.shift();
    const [, severity = '', message = line] = /^([A-Z0-9]+): {2}(.*)$/.exec(line) ?? [];
    if (severity === 'PANIC') log.error({ code: severity }, message);
    else if (severity === 'FATAL' || severity === 'WARNING') log.warn({ code: severity }, message);
    else log.debug({ code: severity }, message);
  });
  return latest;
}

function startFailed(clusterDir: string, what: string, lines: readonly string[]): Error {
  const said = lines.length > 0 ? ` It said: ${lines.join(' | ')}` : '';
  return new EmbeddedPostgresError('start_failed', `PostgreSQL did not start on ${clusterDir}: ${what}.${said}`);
}
