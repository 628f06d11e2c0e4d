import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { environment } from '../config.ts';

const run = promisify(execFile);
const install = 'apt-get install -y --no-install-recommends redis-server';
let found: Promise<string> | undefined;

/**
 * Path of `redis-server`: from PATH, else installed through apt-get when that needs no question (as root). Rejects naming the command
 * to run.
 */
export function redisServerBinary(): Promise<string> {
  found ??= locate();
  return found;
}

async function locate(): Promise<string> {
  const present = onPath('redis-server');
  if (present !== undefined) return present;
  if (process.getuid?.() === 0 && onPath('apt-get') !== undefined) {
    await installPackage();
    const installed = onPath('redis-server');
    if (installed !== undefined) return installed;
  }
  throw new Error(`redis-server 7 or later is needed on PATH; on Debian and Ubuntu: sudo ${install}`);
}

/** Test files run at once: the package manager's own lock is waited for. The service that the package brings is not started. */
async function installPackage(): Promise<void> {
  const env = { ...environment, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const words = ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', 'redis-server'];
  try {
    await run('apt-get', words, { env });
  } catch {
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', 'update'], { env });
    await run('apt-get', words, { env });
  }
}

function onPath(name: string): string | undefined {
  return (environment.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
