import { beforeEach, expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { createLogger } from '../log.ts';
import { eventually, ManualClock } from '../testing/index.ts';
import { AppDirectory, type DirectoryContent } from './app-directory.ts';
import type { AppKey } from './app-key.ts';

const key = (kid: string, over: Partial<AppKey> = {}): AppKey => ({
  appId: kid.split('.')[0] ?? '',
  kid,
  kind: 'hs256',
  secret: 's'.repeat(32),
  scopes: [],
  retiredAt: null,
  ...over,
});

let clock: ManualClock;
let content: DirectoryContent;
let failing: boolean;
let loads: number;
let directory: AppDirectory;
beforeEach(() => {
  clock = new ManualClock();
  content = { apps: [{ id: 'demo', epoch: 3 }], keys: [key('demo.2'), key('demo.10'), key('demo.11', { kind: 'server' })] };
  failing = false;
  loads = 0;
  directory = new AppDirectory({
    load: async () => {
      loads++;
      if (failing) throw new Error('the database is down');
      return content;
    },
    clock,
    log: createLogger({ name: 'test', level: 'silent' }),
  });
  return () => directory[Symbol.asyncDispose]();
});

it('finds keys by app and kid, server keys by kid, and the newest key to sign with', async () => {
  await directory.start();
  expect(directory.epochOf('demo')).toBe(3);
  expect(directory.findKey('demo', 'demo.2')?.kid).toBe('demo.2');
  expect(directory.findKey('other', 'demo.2')).toBeUndefined();
  expect(directory.serverKey('demo.11')?.kid).toBe('demo.11');
  expect(directory.serverKey('demo.2')).toBeUndefined();
  expect(directory.signingKey('demo')?.kid).toBe('demo.10');
  expect(directory.signingKey('other')).toBeUndefined();
  expect(() => directory.epochOf('other')).toThrow(NudgeError);
});

it('serves no key whose kid names another app, and none that is retired', async () => {
  content = { apps: [], keys: [key('demo.1', { appId: 'evil' }), key('demo.3', { retiredAt: clock.now() + 100 })] };
  await directory.start();
  expect(directory.findKey('evil', 'demo.1')).toBeUndefined();
  expect(directory.findKey('demo', 'demo.1')).toBeUndefined();
  expect(directory.findKey('demo', 'demo.3')).toBeDefined();
  clock.advance(100);
  expect(directory.findKey('demo', 'demo.3')).toBeUndefined();
  expect(directory.signingKey('demo')).toBeUndefined();
});

it('refuses to start without the database', async () => {
  failing = true;
  await expect(directory.start()).rejects.toThrow('down');
  expect(directory.isFresh()).toBe(false);
});

it('reads again, counts changes, turns stale when it cannot, and recovers', async () => {
  await directory.start();
  const before = directory.version;
  clock.advance(5_000);
  await eventually(() => loads === 2 && clock.pending === 1);
  expect(directory.version).toBe(before);
  content = { ...content, keys: [key('demo.2')] };
  clock.advance(5_000);
  await eventually(() => directory.version === before + 1);
  expect(directory.serverKey('demo.11')).toBeUndefined();
  failing = true;
  for (let expected = 4; expected <= 6; expected++) {
    await eventually(() => clock.pending === 1);
    clock.advance(5_000);
    await eventually(() => loads === expected);
  }
  expect(directory.isFresh()).toBe(false);
  expect(directory.findKey('demo', 'demo.2')).toBeDefined();
  failing = false;
  await eventually(() => clock.pending === 1);
  clock.advance(5_000);
  await eventually(() => directory.isFresh());
});

it('stops reading when disposed', async () => {
  await directory.start();
  await directory[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
});
