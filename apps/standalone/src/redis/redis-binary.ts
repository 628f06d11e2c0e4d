import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Environment } from '@nudge/server-kit';
import { environment } from '../environment.ts';

const run = promisify(execFile);
/** Sharded publish and subscribe came with it. */
const OLDEST = 7;
/** How long others who use the package manager are waited for, ms. */
const PATIENCE_MS = 180_000;
/** It waits for its own lock itself, but fails at once when another holds that of the lists. */
const aptGet = `apt-get -o DPkg::Lock::Timeout=${PATIENCE_MS / 1_000}`;
/** Locked while one process of ours installs: two package managers at once fail each other in more ways than their locks say. */
const PACKAGE_DATABASE = '/var/lib/dpkg';
const words = 'install -y --no-install-recommends redis-server';
const command = `apt-get ${words}`;
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
  let { path, version } = await look(env);
  // One that does not run may be half installed, by another process of ours: the package manager then waits for that.
  if (version === undefined && process.getuid?.() === 0 && onPath('apt-get', env) !== undefined) {
    onInstall?.(`redis-server is not on PATH: installing it (${command})`);
    await installPackage(env);
    ({ path, version } = await look(env));
  }
  if (path === undefined) throw new RedisServerMissing(remedy);
  if (version === undefined) throw new RedisServerMissing(`${path} does not run: ${remedy}`);
  if (Number.parseInt(version, 10) < OLDEST) throw new RedisServerMissing(`${path} is ${version}: ${remedy}`);
  return path;
}

/** What PATH has, and which version of Redis it says it is. */
async function look(env: Environment): Promise<{ readonly path?: string; readonly version?: string }> {
  const path = onPath('redis-server', env);
  if (path === undefined) return {};
  const version = await run(path, ['--version'], { env }).then(
    ({ stdout }) => /\bv=(\d+[.\d]*)/.exec(stdout)?.[1],
    () => undefined,
  );
  return version === undefined ? { path } : { path, version };
}

/** The service that the package brings is not started. */
async function installPackage(environmentOfCaller: Environment): Promise<void> {
  const env = { ...environmentOfCaller, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  // The lists of packages may be missing or old.
  const script = `redis-server --version || ${aptGet} ${words} || { ${aptGet} update && ${aptGet} ${words}; }`;
  const canLock = onPath('flock', env) !== undefined && existsSync(PACKAGE_DATABASE);
  const inTurn = canLock ? ['flock', '--timeout', String(PATIENCE_MS / 1_000), PACKAGE_DATABASE] : [];
  const [file = '', ...args] = [...inTurn, '/bin/sh', '-c', script];
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      await run(file, args, { env });
      return;
    } catch (error) {
      const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
      if (!/could not get lock/i.test(said) || performance.now() > deadline) {
        throw new RedisServerMissing(`redis-server could not be installed. ${remedy}`, { cause: error });
      }
      await delay(500);
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
