import { recordSessionKick, sessionKicks } from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

test('ends of sessions are read from a time on, each with what it names', async () => {
  const { rows, readAt } = await sessionKicks(db.pool, null);
  expect(rows).toEqual([]);
  await recordSessionKick(db.pool, 'a', 'ann');
  await recordSessionKick(db.pool, 'a', 'ann', { sessionId: 's1' });
  await recordSessionKick(db.pool, 'a', 'nobody yet', { exceptId: 's2' });
  await recordSessionKick(db.pool, 'a', 'ann', { deviceId: 'd1' });
  const since = await sessionKicks(db.pool, readAt - 1_000);
  // Oldest first; those of one millisecond in any order.
  expect(since.rows).toHaveLength(4);
  expect(since.rows.map(({ at }) => at)).toEqual(since.rows.map(({ at }) => at).toSorted((a, b) => a - b));
  expect(new Set(since.rows.map(({ userId, sessionId, exceptId, deviceId }) => [userId, sessionId, exceptId, deviceId]))).toEqual(
    new Set([
      ['ann', null, null, null],
      ['ann', 's1', null, null],
      ['nobody yet', null, 's2', null],
      ['ann', null, null, 'd1'],
    ]),
  );
  for (const { at } of since.rows) expect(Math.abs(at - since.readAt)).toBeLessThan(5_000);
  expect((await sessionKicks(db.pool, since.readAt + 1_000)).rows).toEqual([]);
});

test('more than a page are all read, and old ones go as new ones come', async () => {
  const insert = (ago: string, count: number) =>
    db.database.query(
      `insert into session_kick (app_id, user_id, id, at) select 'a', 'u' || n % 7, gen_random_uuid(), now() - interval '${ago}' from generate_series(1, ${count}) n`,
    );
  await insert('5 s', 11_000);
  await insert('11 minutes', 25);
  const { rows } = await sessionKicks(db.pool, Date.now() - 3_600_000);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(11_029);
  for (let i = 0; i < 3; i++) await recordSessionKick(db.pool, 'a', 'bob');
  const old = await db.database.query("select 1 from session_kick where at < now() - interval '10 minutes'");
  expect(old).toEqual([]);
});
