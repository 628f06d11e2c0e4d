import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts process times in ticks of 1/100 s (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** CPU seconds spent so far by the server process, and by every process below it (the embedded database and its backends). */
export interface CpuSeconds {
  readonly server: number;
  readonly database: number;
}

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  /** Its own time, and that of its ended children. Seconds. */
  readonly own: number;
  readonly ended: number;
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}

function readTimes(pid: number): ProcessTimes | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // After the name in parentheses: state ppid … (utime stime cutime cstime are the 14th to 17th field of the line).
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const seconds = (from: number) => ((fields[from] ?? 0) + (fields[from + 1] ?? 0)) / TICKS_PER_SECOND;
    return { pid, parent: fields[1] ?? 0, own: seconds(11), ended: seconds(13) };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Reads the CPU seconds of the process `serverPid` and of all its descendants. */
export function cpuSeconds(serverPid: number): CpuSeconds {
  const all = readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .map(readTimes)
    .filter((times) => times !== undefined);
  const family = new Set([serverPid]);
  let database = 0;
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, own, ended } of all) {
      if (family.has(pid) || !family.has(parent)) continue;
      family.add(pid);
      database += own + ended;
      grown = true;
    }
  }
  return { server: readTimes(serverPid)?.own ?? 0, database };
}

/** What was spent between two readings. */
export function spent(before: CpuSeconds, after: CpuSeconds): CpuSeconds {
  return { server: after.server - before.server, database: after.database - before.database };
}

/** Resident set of a process, bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}
