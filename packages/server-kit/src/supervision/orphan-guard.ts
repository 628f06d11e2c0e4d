import { spawn } from 'node:child_process';

/** Waits at the end of a pipe that its parent holds, and asks the process to end when the pipe does. It ignores the signals of a terminal. */
const script = 'trap "" INT TERM HUP QUIT; read -r dismissed || kill -TERM "$1"';

/**
 * Makes a child end when this process dies without a word (`kill -9`). Call the result once the child has ended, before its pid is given to
 * another process. Where there is no shell there is no guard.
 */
export function guardAgainstOrphaning(pid: number): () => void {
  const guard = spawn('/bin/sh', ['-c', script, 'nudge-guard', String(pid)], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  return () => guard.stdin?.end('dismissed\n');
}
