import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireOwnerLock } from './owner-lock.ts';
import { identifyProcess } from './process-table.ts';

let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nudge-lock-'));
  path = join(dir, `owner.${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}.json`);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

/** What a holder leaves when it dies, with some of its identity changed. */
async function leaveLock(changes: object): Promise<void> {
  await writeFile(path.replace('.json', '.held'), '');
  await writeFile(path, JSON.stringify({ ...(await identifyProcess(process.pid)), ...changes }));
}

async function expectTakeover(): Promise<void> {
  const lock = await acquireOwnerLock(dir);
  expect(await readdir(dir)).toHaveLength(2);
  expect(JSON.parse(await readFile(lock.path, 'utf8'))).toMatchObject({ pid: process.pid });
  await lock[Symbol.asyncDispose]();
  expect(await readdir(dir)).toEqual([]);
}

async function expectOneOfMany(): Promise<void> {
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => acquireOwnerLock(dir)));
  const held = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  expect(held).toHaveLength(1);
  await held[0]?.value[Symbol.asyncDispose]();
  expect(await readdir(dir)).toEqual([]);
}

test('it is free again after the holder let go', async () => {
  await expectTakeover();
  await expectTakeover();
});

test('a live holder is named', async () => {
  await using lock = await acquireOwnerLock(dir);
  const before = await readdir(dir);
  await expect(acquireOwnerLock(dir)).rejects.toMatchObject({
    code: 'already_running',
    message: expect.stringContaining('in this same process'),
  });
  expect(await readdir(dir)).toEqual(before);
  expect(before.map((name) => join(dir, name))).toContain(lock.path);
});

test('of many at once exactly one gets it', async () => {
  await expectOneOfMany();
});

test('of many that find the same stale lock exactly one takes it over', async () => {
  await leaveLock({ startedAt: 'long ago' });
  await expectOneOfMany();
});

test('a lock whose pid was given to a later process is stale', async () => {
  await leaveLock({ startedAt: 'long ago' });
  await expectTakeover();
});

test('a lock from before the machine was restarted is stale', async () => {
  await leaveLock({ bootId: 'an earlier boot' });
  await expectTakeover();
});

test('a torn lock file is stale', async () => {
  await writeFile(path, '{"pid": 1');
  await expectTakeover();
});

test('a holder in another container counts while its heartbeat is fresh', async () => {
  await leaveLock({ pidNamespace: 'pid:[1]' });
  await expect(acquireOwnerLock(dir)).rejects.toMatchObject({
    code: 'already_running',
    message: expect.stringContaining('another container'),
  });
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(path, longAgo, longAgo);
  await expectTakeover();
});
