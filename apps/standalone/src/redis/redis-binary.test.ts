import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findRedisServer } from './redis-binary.ts';

const root = process.getuid?.() === 0;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nudge-path-'));
  await symlink('/usr/bin/flock', join(dir, 'flock'));
});
afterEach(() => rm(dir, { recursive: true }));

async function program(name: string, script: string): Promise<void> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}
const redis = (version: string) => `echo "Redis server v=${version} sha=00000000:0 malloc=libc bits=64"`;
/** A package manager that notes what it is told, and brings what `then` says once it has its lists. */
const aptGet = (then: string) => `echo "$@" >> ${dir}/told
case "$*" in *update) echo > ${dir}/lists;; *) [ -e ${dir}/lists ] || exit 100; ${then};; esac`;
const find = (notices: string[] = []) => findRedisServer({ PATH: dir }, { onInstall: (notice) => notices.push(notice) });

test('what is on PATH is taken when it is new enough', async () => {
  await program('redis-server', redis('7.0.15'));
  expect(await find()).toBe(join(dir, 'redis-server'));
  await program('redis-server', redis('6.2.14'));
  await expect(find()).rejects.toThrow(/redis-server is 6\.2\.14: redis-server 7 or later is needed on PATH.*sudo apt-get install/);
});

test('without it and without a package manager the command to run is named', async () => {
  await expect(find()).rejects.toThrow(
    /needed on PATH; on Debian and Ubuntu: sudo apt-get install -y --no-install-recommends redis-server/,
  );
});

test('it is installed where that needs no question, which is said; nobody else is asked for a password', async () => {
  const notices: string[] = [];
  await program(
    'apt-get',
    aptGet(`printf '#!/bin/sh\\n%s\\n' '${redis('7.0.15')}' > ${dir}/redis-server; /bin/chmod +x ${dir}/redis-server`),
  );
  if (!root) {
    await expect(find(notices)).rejects.toThrow(/sudo apt-get install/);
    expect(notices).toEqual([]);
    return;
  }
  expect(await find(notices)).toBe(join(dir, 'redis-server'));
  expect(notices).toEqual([expect.stringMatching(/^redis-server is not on PATH: installing it \(apt-get install/)]);
  const told = (await readFile(join(dir, 'told'), 'utf8')).trim().split('\n');
  expect(told.map((line) => line.split(' ')[2])).toEqual(['install', 'update', 'install']);
});

test.runIf(root)('whoever holds the lists of packages is waited for', async () => {
  await writeFile(join(dir, 'held'), '');
  await program(
    'apt-get',
    `echo "$@" >> ${dir}/told
case "$*" in
*update)
  if [ -e ${dir}/held ]; then /bin/rm ${dir}/held; echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2; exit 100; fi
  echo > ${dir}/lists;;
*) [ -e ${dir}/lists ] || exit 100; printf '#!/bin/sh\\n%s\\n' '${redis('7.0.15')}' > ${dir}/redis-server; /bin/chmod +x ${dir}/redis-server;;
esac`,
  );
  expect(await find()).toBe(join(dir, 'redis-server'));
  const told = (await readFile(join(dir, 'told'), 'utf8')).trim().split('\n');
  expect(told.map((line) => line.split(' ')[2])).toEqual(['install', 'update', 'install', 'update', 'install']);
});

test('one that does not run is not taken', async () => {
  await program('redis-server', 'echo "error while loading shared libraries" >&2; exit 127');
  await expect(find()).rejects.toThrow(/redis-server does not run: redis-server 7 or later is needed/);
});

test('a package manager that cannot is no reason to be silent', async () => {
  await program('apt-get', aptGet('exit 100'));
  await expect(find()).rejects.toThrow(root ? /could not be installed.*sudo apt-get install/ : /sudo apt-get install/);
});
