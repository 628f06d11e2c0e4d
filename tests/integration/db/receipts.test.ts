import {
  banList,
  entryVersions,
  heads,
  markDelivered,
  memberList,
  memberPage,
  membershipFeed,
  membershipPairs,
  ownReactions,
  reactionPage,
  receiptCounts,
  receiptPage,
} from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { change, converse, createFixture, type Fixture, message, readUpTo, sendOne } from './support/fixture.ts';
import { react, setEntry } from './support/folded.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

/** A conversation of these people, and `count` messages by the first of them. */
async function talk(people: readonly [string, ...string[]], count: number): Promise<string> {
  const id = await converse(db.pool, people);
  for (let n = 0; n < count; n += 1) await sendOne(db.pool, message(id, people[0]));
  return id;
}

test('a delivered position moves forward, up to the head, and reading carries it along', async () => {
  const id = await talk(['ann', 'bob', 'cid'], 4);
  const deliver = async (userId: string, seq: number, appId = 'a') =>
    (await markDelivered(db.pool, { route: id, inputs: [{ appId, conversationId: id, userId, seq }] }))[0];
  expect(await deliver('bob', 3)).toEqual({ status: 'ok', deliveredSeq: 3, head: 5 });
  expect(await deliver('bob', 2)).toEqual({ status: 'unchanged', deliveredSeq: 3, head: 5 });
  expect(await deliver('bob', 1000)).toEqual({ status: 'ok', deliveredSeq: 5, head: 5 });
  expect(await deliver('bob', 1000)).toEqual({ status: 'unchanged', deliveredSeq: 5, head: 5 });
  expect(await deliver('bob', 5, 'b')).toEqual({ status: 'not_found', deliveredSeq: null, head: null });
  expect(await deliver('eve', 5)).toEqual({ status: 'not_found', deliveredSeq: null, head: null });
  await readUpTo(db.pool, id, 'cid', 4);
  expect(await deliver('cid', 4)).toEqual({ status: 'unchanged', deliveredSeq: 4, head: 5 });
  const stored = "select read_seq::int as read, delivered_seq::int as delivered from member where conversation_id = $1 and user_id = 'cid'";
  expect(await db.database.query(stored, [id])).toEqual([{ read: 4, delivered: 4 }]);
  const call = { route: id, inputs: [3, 5, 1].map((seq) => ({ appId: 'a', conversationId: id, userId: 'cid', seq })) };
  expect((await markDelivered(db.pool, call)).map((result) => [result.status, result.deliveredSeq])).toEqual(Array(3).fill(['ok', 5]));
  await sendOne(db.pool, change(id, 'ann', 'member.remove', { userId: 'bob' }));
  expect((await deliver('bob', 5))?.status).toBe('not_found');
});

test('who has got and read what: pages and counts of current members', async () => {
  const id = await talk(['ann', 'bob', 'cid', 'dan'], 3);
  await readUpTo(db.pool, id, 'bob', 3);
  await markDelivered(db.pool, { route: id, inputs: [{ appId: 'a', conversationId: id, userId: 'cid', seq: 4 }] });
  await sendOne(db.pool, change(id, 'ann', 'member.remove', { userId: 'dan' }));
  const all = [
    { userId: 'ann', readSeq: 4, deliveredSeq: 4 },
    { userId: 'bob', readSeq: 3, deliveredSeq: 3 },
    { userId: 'cid', readSeq: 1, deliveredSeq: 4 },
  ];
  const rows = await receiptPage(db.pool, id, null, 10);
  expect(rows).toEqual(all);
  expect(await receiptPage(db.pool, id, '', 2)).toEqual(all.slice(0, 2));
  expect(await receiptPage(db.pool, id, 'bob', 2)).toEqual(all.slice(2));
  expect(await receiptCounts(db.pool, id, 3, 'ann')).toEqual({ readBy: 1, deliveredTo: 2 });
  expect(await receiptCounts(db.pool, id, 4, 'ann')).toEqual({ readBy: 0, deliveredTo: 1 });
  expect(await receiptCounts(db.pool, id, 1, 'nobody')).toEqual({ readBy: 3, deliveredTo: 3 });
  const { seq: joined } = await sendOne(db.pool, change(id, 'ann', 'member.put', { userId: 'dan' }));
  expect(await receiptPage(db.pool, id, null, 10, 4)).toEqual(all);
  expect(await receiptPage(db.pool, id, null, 10, joined)).toHaveLength(4);
  expect(await receiptCounts(db.pool, id, 4, 'ann')).toEqual({ readBy: 0, deliveredTo: 1 });
});

test('own reactions of many entries at once, none of a tombstone', async () => {
  const [one, two] = [await talk(['ann'], 3), await talk(['ann'], 1)];
  await react(db.database, one, 2, [
    ['ann', '👎'],
    ['bob', '👍'],
    ['ann', '👍'],
  ]);
  await react(db.database, one, 3, [['bob', '👍']]);
  await react(db.database, one, 4, [['ann', '👍']]);
  await react(db.database, two, 2, [['ann', '🎉']]);
  const requests = [
    { conversationId: one, seqs: [2, 3, 4, 99] },
    { conversationId: two, seqs: [2] },
  ];
  const found = async () => (await ownReactions(db.pool, 'ann', requests)).map((row) => [row.conversationId, row.seq, row.emojis]);
  expect(new Set(await found())).toEqual(
    new Set([
      [one, 2, ['👎', '👍']],
      [one, 4, ['👍']],
      [two, 2, ['🎉']],
    ]),
  );
  await setEntry(db.database, one, 4, { expires_at: '2026-01-01T00:00:00Z' });
  expect((await found()).map((row) => row[1])).toEqual([2, 2]);
  expect(await ownReactions(db.pool, 'ann', [])).toEqual([]);
});

test('who reacted, in pages that meet', async () => {
  const id = await talk(['ann'], 1);
  const by = Array.from({ length: 7 }, (_, n) => [`u${6 - n}`, n % 2 === 0 ? 'b' : 'a'] as const);
  await react(db.database, id, 2, by);
  for (const [emoji, expected] of [
    ['b', ['u6', 'u4', 'u2', 'u0']],
    [null, ['u5', 'u3', 'u1', 'u6', 'u4', 'u2', 'u0']],
  ] as const) {
    const seen: string[] = [];
    for (let after = null as Awaited<ReturnType<typeof reactionPage>>[number] | null; ; ) {
      const page = await reactionPage(db.pool, id, 2, emoji, after, 2);
      seen.push(...page.map((row) => row.userId));
      after = page.at(-1) ?? null;
      if (after === null) break;
    }
    expect(seen).toEqual(expected);
  }
});

test('versions, oldest first, the present one last', async () => {
  const id = await talk(['ann'], 1);
  await setEntry(db.database, id, 2, { body: { text: 'three' }, mentions: ['bob'], edited_at: '2026-01-03T00:00:00Z' });
  await db.database.query(
    `insert into entry_version (conversation_id, seq, edit_seq, body, mentions, written_at)
     values ($1, 2, 7, '{"text": "two"}', null, '2026-01-02'), ($1, 2, 5, '{"text": "one"}', '{ann}', '2026-01-01')`,
    [id],
  );
  const versions = await entryVersions(db.pool, { appId: 'a', conversationId: id, seq: 2 }, 0, 50);
  expect(versions?.versions.map(({ body, ...rest }) => ({ ...rest, body: JSON.parse(body ?? 'null') }))).toEqual([
    { editSeq: 5, body: { text: 'one' }, mentions: ['ann'], writtenAt: '2026-01-01T00:00:00.000Z' },
    { editSeq: 7, body: { text: 'two' }, mentions: null, writtenAt: '2026-01-02T00:00:00.000Z' },
    { editSeq: null, body: { text: 'three' }, mentions: ['bob'], writtenAt: '2026-01-03T00:00:00.000Z' },
  ]);
  const page = (after: number) => entryVersions(db.pool, { appId: 'a', conversationId: id, seq: 2 }, after, 1);
  const [first, second] = [await page(0), await page(5)];
  expect([first?.versions.map(({ editSeq }) => editSeq), first?.more]).toEqual([[5], true]);
  expect([second?.versions.map(({ editSeq }) => editSeq), second?.more]).toEqual([[7, null], false]);
  expect(await entryVersions(db.pool, { appId: 'b', conversationId: id, seq: 2 }, 0, 50)).toBeNull();
  expect(await entryVersions(db.pool, { appId: 'a', conversationId: id, seq: 3 }, 0, 50)).toBeNull();
  await setEntry(db.database, id, 2, { expires_at: '2026-01-01T00:00:00Z' });
  expect(await entryVersions(db.pool, { appId: 'a', conversationId: id, seq: 2 }, 0, 50)).toEqual({ versions: [], more: false });
});

test('bans: for a time, for ever, over', async () => {
  const id = await talk(['ann', 'bob', 'cid', 'dan', 'eve'], 1);
  const ban = (user: string, until: string) =>
    db.database.query('update member set banned_until = $3 where conversation_id = $1 and user_id = $2', [id, user, until]);
  await ban('bob', 'infinity');
  await ban('cid', '2100-01-01T00:00:00Z');
  await ban('dan', '2026-01-01T00:00:00Z');
  const all = [
    { userId: 'bob', bannedUntil: null },
    { userId: 'cid', bannedUntil: '2100-01-01T00:00:00.000Z' },
  ];
  expect(await banList(db.pool, id, null, 10)).toEqual(all);
  expect(await banList(db.pool, id, 'bob', 10)).toEqual(all.slice(1));
  expect(await banList(db.pool, id, null, 1)).toEqual(all.slice(0, 1));
  const pair = async (userId: string) => (await membershipPairs(db.pool, [{ appId: 'a', conversationId: id, userId }]))[0];
  expect(await pair('bob')).toMatchObject({ banned: true, bannedUntil: null });
  expect(await pair('cid')).toMatchObject({ banned: true, bannedUntil: '2100-01-01T00:00:00.000Z' });
  expect(await pair('dan')).toMatchObject({ banned: false });
  expect(await pair('eve')).toMatchObject({ banned: false, bannedUntil: null });
  expect((await memberList(db.pool, id))?.users).toEqual(['ann', 'dan', 'eve']);
  expect((await memberPage(db.pool, id, null, 10)).map((row) => row.userId)).toEqual(['ann', 'dan', 'eve']);
  expect(await heads(db.pool, { appId: 'a', userId: 'bob', ids: [id], limit: 1 })).toEqual([]);
});

test('a mute shows in the feed while it lasts, the state of a conversation in its head', async () => {
  const id = await talk(['ann', 'bob'], 1);
  const feed = async () => (await membershipFeed(db.pool, [{ appId: 'a', conversationId: id, userId: 'bob' }]))[0]?.mutedUntil;
  expect(await feed()).toBeNull();
  const mute = (until: string) =>
    db.database.query("update member set muted_until = $2 where conversation_id = $1 and user_id = 'bob'", [id, until]);
  await mute('2026-01-01T00:00:00Z');
  expect(await feed()).toBeNull();
  await mute('2100-01-01T00:00:00Z');
  expect(await feed()).toBe('2100-01-01T00:00:00.000Z');
  const head = async () => (await heads(db.pool, { appId: 'a', userId: 'bob', ids: [id], limit: 1 }))[0];
  expect(await head()).toMatchObject({ avatarUrl: null, frozen: false, slowModeSeconds: 0, deliveredSeq: 1, readSeq: 1, mentions: 0 });
  await db.database.query("update conversation set avatar_url = 'https://x', frozen_at = now(), slow_mode_s = 5 where id = $1", [id]);
  expect(await head()).toMatchObject({ avatarUrl: 'https://x', frozen: true, slowModeSeconds: 5 });
});
