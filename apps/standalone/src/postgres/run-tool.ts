import { type SpawnOptions, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import type { ServerUser } from './server-user.ts';

/**
 * The whole environment of every PostgreSQL process. Nothing is inherited: a `PGDATA` or
 * `PGOPTIONS` of the caller must not redirect the server, and its secrets are none of its business.
 */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

interface RunOptions {
  readonly cwd: string;
  readonly user: ServerUser | undefined;
  /** Written to the standard input, which is then closed. */
  readonly input?: string;
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The options with which every PostgreSQL program is spawned. */
export function spawnOptions(cwd: string, user: ServerUser | undefined): SpawnOptions {
  return { cwd, env: ENVIRONMENT, ...(user && { uid: user.uid, gid: user.gid }) };
}

/** Runs a program to its end. Rejects only when it could not be started at all. */
export async function runTool(program: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const child = spawnAs(options.user, () =>
    spawn(program, args, {
      ...spawnOptions(options.cwd, options.user),
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A program that ends before it has read its input is judged by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/**
 * Calls `spawn`. Where the user cannot be changed it throws at once (a program that is missing or may
 * not be run is an `error` event instead), and that is put into words.
 */
export function spawnAs<T>(user: ServerUser | undefined, start: () => T): T {
  try {
    return start();
  } catch (error) {
    if (user === undefined || !hasErrno(error, 'EPERM', 'EINVAL')) throw error;
    throw new EmbeddedPostgresError(
      'cannot_change_user',
      `PostgreSQL cannot run as root, and this process may not start another as user ${user.uid} ` +
        `(CAP_SETUID and CAP_SETGID are missing, or the container maps no other users). ` +
        `Run Nudge as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs already.`,
      { cause: error },
    );
  }
}
