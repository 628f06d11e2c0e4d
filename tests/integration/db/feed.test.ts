import { applyFeed, createApp, DataError, type FeedItem, feedAfter, joinedConversationIds, joinedCounts } from '@nudge/db';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
let users = 0;
beforeAll(async () => {
  db = await createFixture();
  // Everyone writes to the same rows on purpose.
  await db.database.query("alter function apply_feed set lock_timeout = '20s'");
});
afterAll(() => db[Symbol.asyncDispose]());

/** A user nobody has heard of. */
const someone = () => {
  users += 1;
  return `user${users}`;
};
const item = (userId: string, subject: string, srcVersion: number | null, state: object, merge = false): FeedItem => ({
  appId: 'a',
  userId,
  subject,
  srcVersion,
  state: JSON.stringify(state),
  merge,
});
const feed = async (userId: string) => {
  const { version, rows } = await feedAfter(db.pool, 'a', userId, 0, 100);
  return { version, rows: rows.map((row) => ({ ...row, state: JSON.parse(row.state) })) };
};

describe('absolute states', () => {
  test('a missing user is made; each changed subject takes the next version', async () => {
    const ann = someone();
    expect(await applyFeed(db.pool, [item(ann, 'member/1', 3, { s: 1 }), item(ann, 'member/2', 1, { s: 2 })])).toEqual([1, 2]);
    expect(await applyFeed(db.pool, [item(ann, 'member/1', 4, { s: 3 })])).toEqual([3]);
    expect(await feed(ann)).toEqual({
      version: 3,
      rows: [
        { subject: 'member/2', version: 2, state: { s: 2 } },
        { subject: 'member/1', version: 3, state: { s: 3 } },
      ],
    });
  });

  test('again or older changes nothing', async () => {
    const ann = someone();
    await applyFeed(db.pool, [item(ann, 'read/1', 5, { readSeq: 5 })]);
    expect(await applyFeed(db.pool, [item(ann, 'read/1', 5, { readSeq: 5 }), item(ann, 'read/1', 4, { readSeq: 4 })])).toEqual([
      null,
      null,
    ]);
    expect((await feed(ann)).version).toBe(1);
  });

  test('many users in one call, each with versions of their own', async () => {
    const people = Array.from({ length: 50 }, someone);
    const versions = await applyFeed(
      db.pool,
      [...people, ...people].map((userId, index) => item(userId, `member/${index}`, 1, {})),
    );
    expect(versions).toEqual([...people.map(() => 1), ...people.map(() => 2)]);
  });

  test('in any order, in any grouping, however often: the same rows', async () => {
    const subject = fc.constantFrom('member/1', 'member/2', 'read/1');
    const change = fc.record({ subject, src: fc.integer({ min: 1, max: 6 }) });
    const property = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 10 }),
      fc.infiniteStream(fc.nat()),
      async (changes, choices) => {
        const choose = (below: number): number => (choices.next().value ?? 0) % below;
        const ordered = someone();
        const shuffled = someone();
        // The state of a subject is a function of its src_version, as it is of the entry's seq.
        const of = (userId: string) => changes.map(({ subject: name, src }) => item(userId, name, src, { src }));
        await applyFeed(db.pool, of(ordered));
        const rest = [...of(shuffled), ...of(shuffled).filter(() => choose(3) === 0)];
        while (rest.length > 0) {
          const group = Array.from({ length: Math.min(rest.length, 1 + choose(4)) }, () => rest.splice(choose(rest.length), 1)).flat();
          await applyFeed(db.pool, group);
        }
        const bySubject = async (userId: string) => Object.fromEntries((await feed(userId)).rows.map((row) => [row.subject, row.state]));
        expect(await bySubject(shuffled)).toEqual(await bySubject(ordered));
        const { version, rows } = await feed(shuffled);
        expect(Math.max(...rows.map((row) => row.version))).toBe(version);
        expect(new Set(rows.map((row) => row.version)).size).toBe(rows.length);
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });
});

describe('relative states (previous + 1)', () => {
  test('always the next, unless equal', async () => {
    const ann = someone();
    expect(await applyFeed(db.pool, [item(ann, 'block/x', null, { blocked: true })])).toEqual([1]);
    expect(await applyFeed(db.pool, [item(ann, 'block/x', null, { blocked: true })])).toEqual([null]);
    expect(await applyFeed(db.pool, [item(ann, 'block/x', null, { blocked: false })])).toEqual([2]);
  });

  test('merges shallowly; null removes a key', async () => {
    const ann = someone();
    await applyFeed(db.pool, [item(ann, 'pref/1', null, { muted: true, draft: { text: 'a' } }, true)]);
    await applyFeed(db.pool, [item(ann, 'pref/1', null, { draft: { x: null }, muted: null, pinned: 1 }, true)]);
    expect((await feed(ann)).rows[0]?.state).toEqual({ draft: { x: null }, pinned: 1 });
    expect(await applyFeed(db.pool, [item(ann, 'pref/1', null, { pinned: 1, gone: null }, true)])).toEqual([null]);
    await applyFeed(db.pool, [item(ann, 'pref/1', null, { draft: null, pinned: null }, true)]);
    expect((await feed(ann)).rows[0]?.state).toEqual({});
  });

  test('several of one subject in a call apply in their order', async () => {
    const ann = someone();
    const call = [
      item(ann, 'pref/1', null, { a: 1 }, true),
      item(ann, 'pref/1', null, { b: 2 }, true),
      item(ann, 'pref/1', null, { a: null }, true),
    ];
    expect(await applyFeed(db.pool, call)).toEqual([1, 2, 3]);
    expect((await feed(ann)).rows).toEqual([{ subject: 'pref/1', version: 3, state: { b: 2 } }]);
  });

  test('concurrent merges lose nothing', async () => {
    const ann = someone();
    await runTogether(
      Array.from({ length: 20 }, (_, index) => () => applyFeed(db.pool, [item(ann, 'pref/1', null, { [`k${index}`]: index }, true)])),
    );
    const { version, rows } = await feed(ann);
    expect(version).toBe(20);
    expect(Object.keys(rows[0]?.state)).toHaveLength(20);
  });
});

test('pages: more until the last one', async () => {
  const ann = someone();
  await applyFeed(
    db.pool,
    Array.from({ length: 5 }, (_, index) => item(ann, `notice/${index}`, null, { index })),
  );
  const first = await feedAfter(db.pool, 'a', ann, 0, 2);
  expect(first).toMatchObject({ version: 5, more: true });
  expect(first.rows.map((row) => row.version)).toEqual([1, 2]);
  expect(await feedAfter(db.pool, 'a', ann, 3, 2)).toMatchObject({ more: false, rows: [{ version: 4 }, { version: 5 }] });
  expect(await feedAfter(db.pool, 'a', ann, 5, 2)).toEqual({ version: 5, rows: [], more: false });
  expect(await feedAfter(db.pool, 'a', 'nobody', 0, 2)).toEqual({ version: 0, rows: [], more: false });
});

test('joined conversations are those whose membership says so', async () => {
  const ann = someone();
  await applyFeed(db.pool, [
    item(ann, 'member/one', 1, { state: 'joined' }),
    item(ann, 'member/two', 1, { state: 'left' }),
    item(ann, 'read/three', 1, { state: 'joined' }),
    item(ann, 'member/four', 1, { state: 'joined' }),
  ]);
  expect(await joinedConversationIds(db.pool, 'a', ann)).toEqual(['four', 'one']);
  expect(await joinedConversationIds(db.pool, 'a', 'nobody')).toEqual([]);
  expect(await joinedCounts(db.pool, 'a', [ann, 'nobody'])).toEqual(
    new Map([
      [ann, 2],
      ['nobody', 0],
    ]),
  );
});

test('opposite orders of users do not deadlock', async () => {
  const people = Array.from({ length: 10 }, someone);
  const call = (order: string[], src: number) => () =>
    applyFeed(
      db.pool,
      order.map((userId) => item(userId, 'read/1', src, { src })),
    );
  const settled = await runTogether(
    Array.from({ length: 12 }, (_, index) => call(index % 2 === 0 ? people : people.toReversed(), index + 1)),
  );
  expect(settled.filter((result) => result.status === 'rejected')).toEqual([]);
  for (const userId of people) expect((await feed(userId)).rows).toMatchObject([{ state: { src: 12 } }]);
});

test('a user of an unknown app is refused', async () => {
  await expect(applyFeed(db.pool, [{ ...item('ann', 'read/1', 1, {}), appId: 'nowhere' }])).rejects.toBeInstanceOf(DataError);
  await createApp(db.pool, { id: 'nowhere' });
  expect(await applyFeed(db.pool, [{ ...item('ann', 'read/1', 1, {}), appId: 'nowhere' }])).toEqual([1]);
});
