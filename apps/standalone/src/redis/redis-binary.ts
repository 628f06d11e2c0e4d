import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from '@nudge/server-kit';
import { environment } from '../config.ts';

const run = promisify(execFile);
/** Sharded publish and subscribe came with it. */
const OLDEST = 7;
const words = ['install', '-y', '--no-install-recommends', 'redis-server'];
const command = `apt-get ${words.join(' ')}`;
const remedy = `redis-server ${OLDEST} or later is needed on PATH; on Debian and Ubuntu: sudo ${command}`;
let found: Promise<string> | undefined;

/** There is no `redis-server` that can be used; the message names the command to run. */
export class RedisServerMissing extends Error {
  override readonly name = 'RedisServerMissing';
}

export interface RedisBinaryOptions {
  /** Hears that something is installed, which takes a while. */
  readonly onInstall?: ((notice: string) => void) | undefined;
}

/**
 * Path of `redis-server`: from PATH, else installed through apt-get when that needs no question (as root). Rejects naming the command
 * to run. Looked for once in a process.
 */
export function redisServerBinary(options: RedisBinaryOptions = {}): Promise<string> {
  found ??= findRedisServer(environment, options);
  return found;
}

/** The same, looked for anew. */
export async function findRedisServer(env: Environment, { onInstall }: RedisBinaryOptions = {}): Promise<string> {
  let path = onPath('redis-server', env);
  if (path === undefined && process.getuid?.() === 0 && onPath('apt-get', env) !== undefined) {
    onInstall?.(`redis-server is not on PATH: installing it (${command})`);
    await installPackage(env);
    path = onPath('redis-server', env);
  }
  if (path === undefined) throw new RedisServerMissing(remedy);
  await checkVersion(path, env);
  return path;
}

async function checkVersion(path: string, env: Environment): Promise<void> {
  const { stdout } = await run(path, ['--version'], { env });
  const version = /\bv=(\d+)[.\d]*/.exec(stdout);
  if (Number(version?.[1] ?? 0) < OLDEST)
    throw new RedisServerMissing(`${path} is ${version?.[0].slice(2) ?? 'of an unknown version'}: ${remedy}`);
}

/** Test files run at once: the package manager's own lock is waited for. The service that the package brings is not started. */
async function installPackage(environmentOfCaller: Environment): Promise<void> {
  const env = { ...environmentOfCaller, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const patiently = ['-o', 'DPkg::Lock::Timeout=120'];
  try {
    await run('apt-get', [...patiently, ...words], { env });
  } catch {
    // The lists of packages may be missing or old.
    try {
      await run('apt-get', [...patiently, 'update'], { env });
      await run('apt-get', [...patiently, ...words], { env });
    } catch (error) {
      throw new RedisServerMissing(`redis-server could not be installed. ${remedy}`, { cause: error });
    }
  }
}

function onPath(name: string, env: Environment): string | undefined {
  return (env.PATH ?? '')
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
