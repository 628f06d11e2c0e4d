import { randomUUID } from 'node:crypto';
import {
  appEntriesAfter,
  conversationStates,
  type EntryText,
  entriesAfter,
  entriesBefore,
  heads,
  membershipPairs,
  type Pool,
  unreadTotals,
} from '@nudge/db';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { change, converse, createFixture, type Fixture, message, readUpTo, send, sendOne } from './support/fixture.ts';

let db: Fixture;
let pool: Pool;
beforeAll(async () => {
  db = await createFixture();
  // Everyone writes to one row on purpose; that nobody waits longer than 250 ms is tested elsewhere.
  await db.database.query("alter function append_few set lock_timeout = '20s'");
  pool = db.pool;
});
afterAll(() => db[Symbol.asyncDispose]());

const parsed = (rows: readonly EntryText[] | undefined) => (rows ?? []).map((row) => JSON.parse(row.text));
const seqs = (rows: readonly EntryText[] | undefined) => (rows ?? []).map((row) => row.seq);
async function talk(count: number): Promise<string> {
  const id = await converse(pool, ['ann', 'bob']);
  for (let n = 0; n < count; n += 1) await sendOne(pool, message(id, 'ann', { text: `message ${n + 2}` }));
  return id;
}

describe('the text of an entry', () => {
  test('is the wire’s, and what came in comes out', async () => {
    const id = await converse(pool, ['ann']);
    const body = { text: 'line\nbreak \u2028 "quote" \\ 👍 é \u0001', nested: { list: [1, null, true, 1.5] } };
    const clientMsgId = '"x"\\\n👍\u2029';
    const { createdAt } = await sendOne(pool, message(id, 'ann', { body: JSON.stringify(body), clientMsgId }));
    const [page] = await entriesAfter(pool, [{ conversationId: id, after: 1, limit: 10 }]);
    expect(page?.rows).toHaveLength(1);
    expect(parsed(page?.rows)).toEqual([{ seq: 2, type: 'message', senderId: 'ann', createdAt, clientMsgId, body }]);
    expect(page?.rows[0]?.text).toMatch(/^\{"seq":2,"type":"message","senderId":"ann","createdAt":"[^"]+","clientMsgId":/);
  });

  test('has a key only for what is there', async () => {
    const id = await converse(pool, ['ann']);
    await sendOne(pool, message(id, 'ann', { clientMsgId: null, body: '{}' }));
    await sendOne(pool, message(id, 'ann', { clientMsgId: null, body: null, type: 'custom.x', targetSeq: 2, countable: false }));
    const update =
      "update entry set state_seq = 3, edited_at = '2026-01-02T03:04:05.006Z', redacted_at = now(), body = null where conversation_id = $1 and seq = 2";
    await db.database.query(update, [id]);
    const page = await entriesBefore(pool, id, null, 2);
    const [one, two] = parsed(page?.rows);
    expect(one).toEqual({
      seq: 2,
      type: 'message',
      senderId: 'ann',
      createdAt: expect.any(String),
      stateSeq: 3,
      redacted: true,
      body: null,
    });
    expect(two).toEqual({ seq: 3, type: 'custom.x', senderId: 'ann', createdAt: expect.any(String), target: 2, body: null });
  });

  test('shows three decimals, also of a time that has none', async () => {
    const id = await talk(1);
    await db.database.query("update entry set created_at = '2026-01-02T03:04:05Z' where conversation_id = $1", [id]);
    expect(parsed((await entriesBefore(pool, id, null, 1))?.rows)[0].createdAt).toBe('2026-01-02T03:04:05.000Z');
  });
});

describe('pages', () => {
  test('after: ascending, exclusive, many logs at once, each with its head', async () => {
    const [one, two] = [await talk(5), await talk(2)];
    const asked = [
      { conversationId: one, after: 2, limit: 3 },
      { conversationId: two, after: 0, limit: 50 },
      { conversationId: randomUUID(), after: 0, limit: 50 },
    ];
    const pages = new Map((await entriesAfter(pool, asked)).map((page) => [page.conversationId, page]));
    expect(pages.size).toBe(2);
    expect(pages.get(one)).toMatchObject({ appId: 'a', lastSeq: 6, oldestSeq: 1, memberVersion: 1 });
    expect(seqs(pages.get(one)?.rows)).toEqual([3, 4, 5]);
    expect(seqs(pages.get(two)?.rows)).toEqual([1, 2, 3]);
    expect(parsed(pages.get(one)?.rows).map((entry) => entry.seq)).toEqual([3, 4, 5]);
    const [end] = await entriesAfter(pool, [{ conversationId: one, after: 6, limit: 3 }]);
    expect(end).toMatchObject({ lastSeq: 6, rows: [] });
  });

  test('before: the newest, then further back, always ascending', async () => {
    const id = await talk(6);
    expect(seqs((await entriesBefore(pool, id, null, 3))?.rows)).toEqual([5, 6, 7]);
    expect(seqs((await entriesBefore(pool, id, 5, 3))?.rows)).toEqual([2, 3, 4]);
    expect(seqs((await entriesBefore(pool, id, 2, 3))?.rows)).toEqual([1]);
    expect((await entriesBefore(pool, id, 1, 3))?.rows).toEqual([]);
    expect(await entriesBefore(pool, randomUUID(), null, 3)).toBeNull();
  });
});

test('states and memberships', async () => {
  const id = await talk(2);
  const state = {
    id,
    appId: 'a',
    type: 'group',
    lastSeq: 3,
    oldestSeq: 1,
    history: 'full',
    memberVersion: 1,
    memberCount: 2,
    messageCount: 2,
  };
  expect(await conversationStates(pool, [id, randomUUID()])).toEqual([state]);
  const pairs = ['bob', 'eve'].map((userId) => ({ appId: 'a', conversationId: id, userId }));
  expect(await membershipPairs(pool, pairs)).toEqual([
    expect.objectContaining({ ...state, userId: 'bob', role: 'member', joinedSeq: 1, leftSeq: null, readSeq: 1 }),
  ]);
  await sendOne(pool, change(id, 'ann', 'member.remove', { userId: 'bob' }));
  expect(await membershipPairs(pool, pairs)).toMatchObject([{ userId: 'bob', leftSeq: 4, memberVersion: 2, lastSeq: 4 }]);
});

describe('heads', () => {
  test('newest first, in pages that meet, with previews and unread', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push(await talk(n));
    // Equal times: the id decides.
    await db.database.query("update conversation set last_entry_at = '2026-01-02T03:04:05.678Z' where id = any ($1)", [ids.slice(1, 4)]);
    const query = { appId: 'a', userId: 'bob', ids, limit: 2 };
    const all = await heads(pool, { ...query, limit: 10 });
    const expected = [...all].sort((x, y) =>
      x.lastEntryAt === y.lastEntryAt ? (x.id < y.id ? 1 : -1) : x.lastEntryAt < y.lastEntryAt ? 1 : -1,
    );
    expect(all).toEqual(expected);
    const pages = [];
    let before: { lastEntryAt: string; id: string } | null = null;
    for (;;) {
      const page: Awaited<ReturnType<typeof heads>> = await heads(pool, { ...query, before });
      pages.push(...page);
      const last = page.at(-1);
      if (last === undefined) break;
      before = { lastEntryAt: last.lastEntryAt, id: last.id };
    }
    expect(pages).toEqual(all);
    const [newest] = all;
    expect(newest).toMatchObject({
      id: ids[4],
      unread: 4,
      readSeq: 1,
      role: 'member',
      lastMessage: { seq: 5, senderId: 'ann', excerpt: 'message 5' },
    });
    expect(all.find((head) => head.id === ids[0])).toMatchObject({ unread: 0, lastMessage: null });
    expect(await heads(pool, { ...query, limit: 10, since: newest?.lastEntryAt ?? '' })).toEqual([newest]);
    expect(await unreadTotals(pool, query)).toEqual({ total: 10, mentions: 0 });
    await readUpTo(pool, ids[4] ?? '', 'bob', 3);
    expect(await unreadTotals(pool, query)).toEqual({ total: 8, mentions: 0 });
  });

  test('nothing of what one has left or is banned from, and no preview from before one joined', async () => {
    const [left, banned] = [await talk(1), await talk(1)];
    await sendOne(pool, change(left, 'ann', 'member.remove', { userId: 'bob' }));
    await db.database.query("update member set banned_until = now() + interval '1 h' where conversation_id = $1 and user_id = 'bob'", [
      banned,
    ]);
    const fresh = await converse(pool, ['ann'], { history: 'since_join' });
    await sendOne(pool, message(fresh, 'ann', { text: 'secret' }));
    await sendOne(pool, change(fresh, 'ann', 'member.put', { userId: 'bob' }));
    const query = { appId: 'a', userId: 'bob', ids: [left, banned, fresh], limit: 10 };
    expect(await heads(pool, query)).toMatchObject([{ id: fresh, unread: 0, lastMessage: null }]);
    await sendOne(pool, message(fresh, 'ann', { text: '👍'.repeat(200) }));
    expect(await heads(pool, query)).toMatchObject([{ id: fresh, unread: 1, lastMessage: { excerpt: '👍'.repeat(140) } }]);
  });
});

test('the app’s log', async () => {
  const insert =
    "insert into app_entry (app_id, seq, type, body, created_at) select 'a', n, 'broadcast', jsonb_build_object('n', n), '2026-01-02T03:04:05Z' from generate_series(1, 3) n";
  await db.database.query(insert);
  await db.database.query("update app_log set last_seq = 3 where app_id = 'a'");
  const page = await appEntriesAfter(pool, 'a', 1, 1);
  expect(page).toMatchObject({ lastSeq: 3, more: true });
  expect(parsed(page.rows)).toEqual([
    { seq: 2, type: 'broadcast', senderId: '$system', createdAt: '2026-01-02T03:04:05.000Z', body: { n: 2 } },
  ]);
  expect(await appEntriesAfter(pool, 'a', 3, 1)).toEqual({ lastSeq: 3, rows: [], more: false });
});

test('a page never holds more than its head, whoever writes meanwhile', async () => {
  const id = await talk(1);
  const writing = Promise.all(Array.from({ length: 40 }, () => send(pool, message(id, 'ann'), message(id, 'bob'))));
  for (let n = 0; n < 40; n += 1) {
    const [page] = await entriesAfter(pool, [{ conversationId: id, after: 0, limit: 200 }]);
    expect(page?.rows.at(-1)?.seq).toBe(page?.lastSeq);
    expect(seqs(page?.rows)).toEqual(Array.from({ length: page?.lastSeq ?? 0 }, (_, index) => index + 1));
  }
  await writing;
});
