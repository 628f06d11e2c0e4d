import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createReplica, type Replica } from '../support/replica.ts';
import { type Fleet, startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load, quantile } from './support/load.ts';
import { type Stack, startStack } from './support/stack.ts';

/** How far the second replica is behind, always. */
const lagMs = 10_000;

let database: TestDatabase;
let steady: Replica;
let late: Replica;
let stack: Stack;
let fleet: Fleet;
const loads: Load[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const primary = inject('postgres');
  [steady, late] = await Promise.all([createReplica({ primary }), createReplica({ primary, applyDelayMs: lagMs })]);
  const { connectionString } = database;
  stack = await startStack({
    database,
    replicaUrls: [steady.through(connectionString), late.through(connectionString)],
    // Next to nothing is kept, so that pulls are the databases' to answer.
    envOf: { sync: { SYNC_TAIL_ENTRIES: '1', SYNC_CACHE_BYTES: '1' } },
  });
  fleet = await startFleet(stack);
}, 240_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
  await late?.stop();
  await steady?.stop();
  await database?.[Symbol.asyncDispose]();
}, 60_000);

test('one replica lags by 10 s and the other stands still: every pull with min has what it was told of', async () => {
  const load = new Load(stack, fleet.groups, { name: 'lag' });
  loads.push(load);
  await load.progress(20);
  await steady.pauseReplay();
  const pausedAt = Date.now();
  const behind = await lastSeqs(late);
  await load.progress(60);
  const [primary, paused, lagging] = [await lastSeqs(), await lastSeqs(steady), await lastSeqs(late)];
  expect(paused, 'the first replica stands still').toBeLessThan(primary);
  expect(lagging, 'the second is behind').toBeLessThan(primary);
  expect(behind).toBeLessThanOrEqual(lagging);
  expect(await askedAt(steady), 'the one that stands still was asked').toBeGreaterThan(pausedAt);
  expect(await askedAt(late), 'the one that lags was asked').toBeGreaterThan(pausedAt);
  await steady.resumeReplay();
  await steady.caughtUp();
  expect(await lastSeqs(steady)).toBeGreaterThan(paused);
  await load.progress(20);
  await load.stop();
  console.log(`lagging replicas: p99 of pulls with min ${Math.round(quantile(load.pullMs, 0.99))} ms`);
  // What has waited too long may be told to come again; an answer with less never is one (`breaches` of the load).
  expect([...load.refusals.keys()].filter((kind) => !kind.startsWith('listEntries 503'))).toEqual([]);
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);
}, 240_000);

test('a device that comes fresh while the replicas lag has everything up to what it hears of', async () => {
  const load = new Load(stack, fleet.groups, { name: 'fresh' });
  loads.push(load);
  await load.progress(20);
  await steady.pauseReplay();
  await load.progress(20);
  for (const { users } of fleet.groups) await fleet.add(users[0] ?? '', ['fresh']);
  await load.progress(20);
  await load.stop();
  expect(await breachesOf({ stack, fleet, loads })).toEqual([]);
  await steady.resumeReplay();
}, 240_000);

/** Entries altogether, as a server has them. */
async function lastSeqs(replica?: Replica): Promise<number> {
  const url = replica === undefined ? database.connectionString : replica.through(database.connectionString);
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ sum: number }>('select coalesce(sum(last_seq), 0)::int as sum from conversation');
    return rows[0]?.sum ?? 0;
  } finally {
    await client.end();
  }
}

/** When, by its own clock, the pull side last asked a replica; ms since 1970. */
async function askedAt(replica: Replica): Promise<number> {
  const client = new pg.Client(replica.through(database.connectionString));
  await client.connect();
  try {
    const { rows } = await client.query<{ at: Date | null }>(
      "select max(query_start) as at from pg_stat_activity where application_name = 'nudge-sync-replica' and datname = current_database()",
    );
    return rows[0]?.at?.getTime() ?? 0;
  } finally {
    await client.end();
  }
}
