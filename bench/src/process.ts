import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A child process of the bench, ended by `await using`. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  readonly process: ChildProcess;
}

/** Forks a script of this package under the workspace's own conditions. Its output goes to ours. */
export function forkScript(path: string, env: Record<string, string> = {}): Child {
  const file = fileURLToPath(new URL(path, import.meta.url));
  const child = fork(file, [], {
    execArgv: ['--conditions=@nudge/source'],
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    process: child,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Forks a baseline server and waits for its port. `first` is sent to it before it listens. */
export async function startBaseline(name: string, first?: string): Promise<Child & { readonly port: number }> {
  const child = forkScript(`./baselines/${name}.ts`);
  if (first !== undefined) child.process.send(first);
  const [{ port }] = (await once(child.process, 'message')) as [{ port: number }];
  return { ...child, port };
}
