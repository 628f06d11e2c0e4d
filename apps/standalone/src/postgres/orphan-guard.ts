import { spawn } from 'node:child_process';
import { spawnOptions } from './run-tool.ts';
import type { ServerUser } from './server-user.ts';

/**
 * A tiny shell that waits at the end of a pipe held by this Node process. When Node dies without
 * a word (`kill -9`), the pipe ends and the shell asks the server for a fast shutdown. It ignores
 * the signals of a terminal, which reach every process of the foreground group.
 */
const SCRIPT = 'trap "" INT TERM HUP QUIT; read -r dismissed || kill -INT "$1"';

/** Guards one server process. Call the result once that process has ended, before its pid is reused. */
export function guardAgainstOrphaning(serverPid: number, user: ServerUser | undefined): () => void {
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'nudge-postgres-guard', String(serverPid)], {
    ...spawnOptions('/', user),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a guard the next start cleans up (see `leftovers.ts`), so its failures change nothing.
  guard.on('error', () => undefined);
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  return () => guard.stdin?.end('dismissed\n');
}
