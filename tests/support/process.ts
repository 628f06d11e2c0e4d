import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.ts';

export interface ChildOptions {
  /** Path of the TypeScript file to run with the same Node as the tests. */
  readonly script: string;
  readonly args?: readonly string[];
  /** The child's whole environment besides {@link inheritedEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** True puts the child into a process group of its own, for `killGroup`. */
  readonly ownGroup?: boolean;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process with its output at hand. Disposing kills it with SIGKILL. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Lines of both outputs so far, in the order they came. */
  readonly lines: readonly string[];
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<ChildExit>;
  /** The first line, past or future, that matches; fails when the process ends without it. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Sends a signal and resolves when the process has ended. */
  kill(signal: NodeJS.Signals): Promise<ChildExit>;
  /** The same for the process and all its descendants of the same group. Needs `ownGroup`. */
  killGroup(signal: NodeJS.Signals): Promise<ChildExit>;
}

const INHERITED = ['PATH', 'HOME', 'TMPDIR'];
const SHOWN_LINES = 30;

/** Compiled code is kept between the processes of all runs: a server's start costs half the CPU of reading its TypeScript anew. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url));

/** What a process that a test starts takes from this one; everything else of its environment comes from the test. */
export function inheritedEnvironment(): Readonly<Record<string, string>> {
  const entries = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(entries), NODE_COMPILE_CACHE: compileCache };
}

/** Starts a script of the repository as a process of its own. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const args = ['--conditions=@nudge/source', '--enable-source-maps', options.script];
  const child = spawn(process.execPath, [...args, ...(options.args ?? [])], {
    cwd: options.cwd,
    env: { ...inheritedEnvironment(), ...options.env },
    detached: options.ownGroup ?? false,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  let ended: ChildExit | undefined;
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = { code, signal };
      resolve(ended);
    });
  });
  await once(child, 'spawn');
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${options.script} has no pid`);

  const describe = () => `pid ${pid}, ${JSON.stringify(ended ?? 'running')}:\n${lines.slice(-SHOWN_LINES).join('\n')}`;

  async function waitForLine(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    const find = () => {
      for (const line of lines) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      return ended ? ('ended' as const) : undefined;
    };
    const found = await waitFor(`a line ${pattern}`, find, { timeoutMs }).catch((error: unknown) => {
      throw new Error(`no line matched ${pattern}; ${describe()}`, { cause: error });
    });
    if (found === 'ended') throw new Error(`it ended without a line ${pattern}; ${describe()}`);
    return found;
  }

  async function send(to: number, signal: NodeJS.Signals): Promise<ChildExit> {
    if (ended === undefined) process.kill(to, signal);
    return exited;
  }

  return {
    pid,
    lines,
    exited,
    waitForLine,
    kill: (signal) => send(pid, signal),
    killGroup: (signal) => send(-pid, signal),
    async [Symbol.asyncDispose]() {
      await send(pid, 'SIGKILL');
    },
  };
}
