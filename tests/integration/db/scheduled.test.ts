import { randomUUID } from 'node:crypto';
import {
  banFromApp,
  cancelScheduled,
  dueScheduled,
  finishScheduled,
  insertScheduled,
  listScheduled,
  type NewScheduled,
  releaseScheduled,
  type TakenScheduled,
  takeScheduled,
  upsertUsers,
} from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture(10);
  await db.database.query("alter function insert_scheduled set lock_timeout = '20s'");
});
afterAll(() => db[Symbol.asyncDispose]());

async function someone(): Promise<string> {
  const id = randomUUID();
  await upsertUsers(db.pool, 'a', [{ id }]);
  return id;
}

function later(userId: string, overrides: Partial<NewScheduled> = {}): NewScheduled {
  return {
    appId: 'a',
    userId,
    id: randomUUID(),
    conversationId: randomUUID(),
    clientMsgId: randomUUID(),
    contentHash: Buffer.from('hello'),
    type: 'message',
    body: '{"text": "hello"}',
    extra: null,
    countable: true,
    sendAt: '2100-01-01T00:00:00.000Z',
    ...overrides,
  };
}

function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

test('kept as it was given, once per clientMsgId', async () => {
  const user = await someone();
  const input = later(user, { extra: '{"replyTo": 5}' });
  expect(await insertScheduled(db.pool, input)).toEqual({ status: 'created', id: input.id, sendAt: input.sendAt, same: true });
  const again = { ...input, id: randomUUID(), sendAt: '2101-01-01T00:00:00.000Z' };
  expect(await insertScheduled(db.pool, again)).toEqual({ status: 'exists', id: input.id, sendAt: input.sendAt, same: true });
  expect(await insertScheduled(db.pool, { ...again, contentHash: Buffer.from('other') })).toMatchObject({ status: 'exists', same: false });
  expect(await listScheduled(db.pool, 'a', user, null, 10)).toEqual([{ ...input, createdAt: expect.any(String), failedCode: null }]);
  expect(await listScheduled(db.pool, 'b', user, null, 10)).toEqual([]);
});

test('many at once with one clientMsgId: one message', async () => {
  const user = await someone();
  const input = later(user);
  const results = values(
    await runTogether(Array.from({ length: 40 }, () => () => insertScheduled(db.pool, { ...input, id: randomUUID() }))),
  );
  expect(new Set(results.map((result) => result.id)).size).toBe(1);
  expect(results.filter((result) => result.status === 'created')).toHaveLength(1);
});

test('as many as may be, also when they come at once', async () => {
  const user = await someone();
  const results = values(await runTogether(Array.from({ length: 30 }, () => () => insertScheduled(db.pool, later(user), 10))));
  expect(results.filter((result) => result.status === 'created')).toHaveLength(10);
  expect(results.filter((result) => result.status === 'limit_reached')).toHaveLength(20);
  expect(results.find((result) => result.status === 'limit_reached')).toEqual({
    status: 'limit_reached',
    id: null,
    sendAt: null,
    same: null,
  });
});

test('listed by id, from any id on and no more than was asked for', async () => {
  const user = await someone();
  const inputs = [3, 1, 2, 1, 2].map((day) => later(user, { sendAt: `2100-01-0${day}T00:00:00.000Z` }));
  for (const input of inputs) await insertScheduled(db.pool, input);
  const order = inputs.map((input) => input.id).sort();
  const first = await listScheduled(db.pool, 'a', user, null, 2);
  const rest = await listScheduled(db.pool, 'a', user, first.at(-1)?.id ?? null, 10);
  expect(first.map((row) => row.id)).toEqual(order.slice(0, 2));
  expect(rest.map((row) => row.id)).toEqual(order.slice(1));
});

test('cancelled: never sent; taken: too late to cancel; refused: stays with its reason until cancelled', async () => {
  const user = await someone();
  const [one, two] = [later(user), later(user)];
  for (const input of [one, two]) await insertScheduled(db.pool, input);
  expect(await cancelScheduled(db.pool, 'b', user, one.id)).toBe(false);
  expect(await cancelScheduled(db.pool, 'a', user, one.id)).toBe(true);
  expect(await cancelScheduled(db.pool, 'a', user, one.id)).toBe(false);
  expect(await takeScheduled(db.pool, 'a', user, one.id)).toBeNull();
  expect(await takeScheduled(db.pool, 'a', user, two.id)).toMatchObject({ id: two.id, body: two.body, contentHash: two.contentHash });
  expect(await takeScheduled(db.pool, 'a', user, two.id)).not.toBeNull();
  expect(await cancelScheduled(db.pool, 'a', user, two.id)).toBe(false);
  await finishScheduled(db.pool, 'a', user, two.id, 'frozen');
  expect(await takeScheduled(db.pool, 'a', user, two.id)).toBeNull();
  expect((await listScheduled(db.pool, 'a', user, null, 10)).map((row) => row.failedCode)).toEqual(['frozen']);
  expect(await cancelScheduled(db.pool, 'a', user, two.id)).toBe(true);
  const three = later(user);
  await insertScheduled(db.pool, three);
  await takeScheduled(db.pool, 'a', user, three.id);
  await finishScheduled(db.pool, 'a', user, three.id, null);
  expect(await listScheduled(db.pool, 'a', user, null, 10)).toEqual([]);
});

async function taken(user: string, id: string): Promise<TakenScheduled> {
  const row = await takeScheduled(db.pool, 'a', user, id);
  if (row === null) throw new Error('it is not there');
  return row;
}

test('let go of: it can be cancelled until somebody takes it again; only the last one who took it lets go', async () => {
  const user = await someone();
  const input = later(user);
  await insertScheduled(db.pool, input);
  const first = await taken(user, input.id);
  expect(first).toMatchObject({ alone: true, senderBanned: false });
  const second = await taken(user, input.id);
  expect(second.alone).toBe(false);
  expect(second.takenAt > first.takenAt).toBe(true);
  await releaseScheduled(db.pool, first);
  expect(await cancelScheduled(db.pool, 'a', user, input.id)).toBe(false);
  await releaseScheduled(db.pool, second);
  expect((await taken(user, input.id)).alone).toBe(true);
  expect(await cancelScheduled(db.pool, 'a', user, input.id)).toBe(false);
  await db.database.query(`update scheduled set taken_at = taken_at - interval '2 minutes' where id = $1`, [input.id]);
  const last = await taken(user, input.id);
  expect(last.alone).toBe(true);
  await releaseScheduled(db.pool, last);
  expect(await cancelScheduled(db.pool, 'a', user, input.id)).toBe(true);
  expect(await takeScheduled(db.pool, 'a', user, input.id)).toBeNull();
});

test('taken by many at once: at most one of them is alone, and never in doubt', async () => {
  const user = await someone();
  for (let round = 0; round < 10; round += 1) {
    const input = later(user);
    await insertScheduled(db.pool, input);
    const rows = values(await runTogether(Array.from({ length: 8 }, () => () => taken(user, input.id))));
    expect(rows.filter(({ alone }) => alone)).toHaveLength(1);
    expect(new Set(rows.map(({ takenAt }) => takenAt)).size).toBe(rows.length);
    for (const row of rows.filter(({ alone }) => alone)) await releaseScheduled(db.pool, row);
    expect(await cancelScheduled(db.pool, 'a', user, input.id)).toBe(false);
    await finishScheduled(db.pool, 'a', user, input.id, null);
  }
});

test('says of a sender that is banned from the app', async () => {
  const user = await someone();
  const input = later(user);
  await insertScheduled(db.pool, input);
  await banFromApp(db.pool, 'a', user, null);
  expect((await taken(user, input.id)).senderBanned).toBe(true);
  await banFromApp(db.pool, 'a', user, new Date(Date.now() - 1_000));
  expect((await taken(user, input.id)).senderBanned).toBe(false);
});

test('of a cancellation and a job at once, one wins', async () => {
  const user = await someone();
  for (let round = 0; round < 20; round += 1) {
    const input = later(user);
    await insertScheduled(db.pool, input);
    const [cancelled, taken] = values(
      await runTogether<unknown>([() => cancelScheduled(db.pool, 'a', user, input.id), () => takeScheduled(db.pool, 'a', user, input.id)]),
    );
    expect(cancelled).toBe(taken === null);
    await finishScheduled(db.pool, 'a', user, input.id, null);
  }
});

test('what should have been sent is found, refused ones left out', async () => {
  const user = await someone();
  const [late, later2, failed] = ['2026-01-01', '2026-01-02', '2026-01-03'].map((day) => later(user, { sendAt: `${day}T00:00:00Z` }));
  for (const input of [late, later2, failed, later(user)]) if (input !== undefined) await insertScheduled(db.pool, input);
  await finishScheduled(db.pool, 'a', user, failed?.id ?? '', 'frozen');
  const due = await dueScheduled(db.pool, { olderThanMs: 1000, limit: 10 });
  expect(due).toEqual([late, later2].map((input) => ({ appId: 'a', userId: user, id: input?.id })));
  expect(await dueScheduled(db.pool, { olderThanMs: 1000, limit: 1 })).toEqual(due.slice(0, 1));
  // One that somebody tried lately leaves its place to the next.
  await releaseScheduled(db.pool, await taken(user, late?.id ?? ''));
  expect(await dueScheduled(db.pool, { olderThanMs: 1000, limit: 1 })).toEqual(due.slice(1));
  await db.database.query(`update scheduled set taken_at = taken_at - interval '5 s' where id = $1`, [late?.id]);
  expect(await dueScheduled(db.pool, { olderThanMs: 1000, limit: 10 })).toEqual(due);
});
