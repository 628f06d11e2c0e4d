import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { hasErrno } from './errors.ts';

/** One live process: its command line with single spaces between the arguments. */
export interface ProcessInfo {
  readonly pid: number;
  readonly command: string;
}

/**
 * What tells a process from every other one, also from a later one that got the same pid.
 * `startedAt` has no unit: it is only ever compared.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  /** Pids of another namespace (another container) mean nothing in this one. */
  readonly pidNamespace: string;
}

const run = promisify(execFile);
const HAS_PROC = process.platform === 'linux';

/** All live processes that this one may see. Zombies have no command line and are left out. */
export async function listProcesses(): Promise<ProcessInfo[]> {
  if (!HAS_PROC) return listWithPs();
  const found: ProcessInfo[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const command = await readCommandLine(pid);
    if (command !== '') found.push({ pid, command });
  }
  return found;
}

/** The identity of a live process, or undefined when there is none with this pid. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = HAS_PROC ? await startTicks(pid) : await startedAtByPs(pid);
  if (startedAt === undefined) return undefined;
  return {
    pid,
    startedAt,
    bootId: HAS_PROC ? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim() : '',
    pidNamespace: HAS_PROC ? await readlink('/proc/self/ns/pid') : '',
  };
}

/** True when the pid is taken, by a process of any user and in any state, zombies included. */
export function pidIsTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasErrno(error, 'EPERM');
  }
}

/** Sends a signal; a process that is gone already is not an error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

async function readCommandLine(pid: number): Promise<string> {
  try {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return raw.replaceAll('\0', ' ').trim();
  } catch (error) {
    // The process ended, or belongs to someone whose processes are hidden from this user.
    if (hasErrno(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return '';
    throw error;
  }
}

/** Field 22 of proc(5) `stat`: clock ticks between boot and the start of the process. */
async function startTicks(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? undefined : fields[19];
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

async function listWithPs(): Promise<ProcessInfo[]> {
  const { stdout } = await run('ps', ['-axww', '-o', 'pid=,command=']);
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(.+)$/.exec(line);
    return match?.[1] !== undefined && match[2] !== undefined ? [{ pid: Number(match[1]), command: match[2] }] : [];
  });
}

async function startedAtByPs(pid: number): Promise<string | undefined> {
  if (!pidIsTaken(pid)) return undefined;
  const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)]);
  return stdout.trim() || undefined;
}
