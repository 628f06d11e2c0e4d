import { ConfigError } from '@nudge/server-kit';
import { expect, test } from 'vitest';
import { readSyncConfig, syncConfig } from './config.ts';

const DATABASE_URL = 'postgres://nudge@127.0.0.1/nudge';

test('the defaults hold where nothing is set', () => {
  expect(readSyncConfig({ DATABASE_URL, SYNC_BULK: ' ' }).sync).toEqual(syncConfig());
});

test('what is set is taken', () => {
  const { sync } = readSyncConfig({ DATABASE_URL, SYNC_CACHE_BYTES: '1000', SYNC_BULK: '2', SYNC_REPLICA_PATIENCE_MS: '7' });
  expect(sync).toMatchObject({ cacheBytes: 1000, bulkSyncs: 2, replicaPatienceMs: 7 });
});

test.each([
  ['SYNC_BULK', '0'],
  ['SYNC_TAIL_ENTRIES', '-1'],
  ['SYNC_CACHE_BYTES', '64M'],
  ['SYNC_TAIL_BYTES', '1e6'],
])('%s=%s is refused by name', (variable, value) => {
  expect(() => readSyncConfig({ DATABASE_URL, [variable]: value })).toThrow(variable);
});

test('a pull side without a database is refused', () => {
  expect(() => readSyncConfig({})).toThrow(ConfigError);
});
