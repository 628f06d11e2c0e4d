import { entriesAfter, expireEntries, heads, ownReactions, pinnedSeqs, retainConversations, unreadTotals } from '@nudge/db';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { actor, tablesWith } from './support/acts.ts';
import { assertLog, change, converse, createFixture, type Fixture, message, readUpTo, send, sendOne } from './support/fixture.ts';
import { mentionUsers, react, setEntry } from './support/folded.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const PAST = '2026-01-03T00:00:00.000Z';
const CANARY = 'canary-5f0e7c';

/** A conversation with messages that hold the canary wherever one can: seq 2 is quoted, edited (by seq 4), pinned, reacted to. */
async function canaries(): Promise<string> {
  const id = await converse(db.pool, ['ann', 'bob']);
  for (let n = 0; n < 4; n += 1) await sendOne(db.pool, message(id, 'ann', { text: n === 1 ? 'kept' : CANARY }));
  const reactions = [{ emoji: CANARY, count: 1, users: ['bob'] }];
  await mentionUsers(db.database, id, 2, ['bob', CANARY]);
  await setEntry(db.database, id, 2, { reactions, edit_seq: 4, state_seq: 5, pinned_at: PAST, edited_at: PAST });
  await setEntry(db.database, id, 3, { reply_seq: 2 });
  await setEntry(db.database, id, 4, { type: 'message.edited', target_seq: 2, mentions: [CANARY] });
  await react(db.database, id, 2, [['bob', CANARY]]);
  await db.database.query(`insert into pin values ($1, 2, 'ann', now())`, [id]);
  await db.database.query('insert into entry_version values ($1, 2, 4, $2, $3, now())', [id, JSON.stringify({ text: CANARY }), [CANARY]]);
  return id;
}

async function expireAll(): Promise<string[]> {
  const touched: string[] = [];
  for (;;) {
    const step = await expireEntries(db.pool, 2);
    touched.push(...step.touched.map((one) => one.conversationId));
    if (!step.more) return touched;
  }
}

test('what has expired is in no table any more; its place in the log stays', async () => {
  const id = await canaries();
  expect((await tablesWith(db.database, CANARY)).sort()).toEqual(['entry', 'entry_version', 'mention', 'reaction']);
  await setEntry(db.database, id, 2, { expires_at: PAST });
  await setEntry(db.database, id, 5, { expires_at: PAST });
  const { touched } = await expireEntries(db.pool, 10);
  expect(touched).toEqual([{ appId: 'a', conversationId: id, memberVersion: 1, head: 5 }]);
  expect(await tablesWith(db.database, CANARY)).toEqual([]);
  expect(await pinnedSeqs(db.pool, id)).toEqual([]);
  expect(await ownReactions(db.pool, 'bob', [{ conversationId: id, seqs: [2] }])).toEqual([]);
  const rows = await db.database.query(
    'select seq::int, sender_id, redacted_at, content_hash is null as nohash, client_msg_id is null as noid from entry where conversation_id = $1 and seq in (2, 5) order by seq',
    [id],
  );
  const kept = { sender_id: 'ann', redacted_at: new Date(PAST), nohash: false, noid: false };
  expect(rows).toEqual([
    { seq: 2, ...kept },
    { seq: 5, ...kept },
  ]);
  expect(await expireEntries(db.pool, 10)).toEqual({ touched: [], more: false });
  await assertLog(db.database, id);
});

test('a repeat of an expired message is still a repeat', async () => {
  const id = await converse(db.pool, ['ann']);
  const input = message(id, 'ann');
  await sendOne(db.pool, input);
  await setEntry(db.database, id, 2, { expires_at: PAST });
  expect(await expireAll()).toEqual([id]);
  expect(await sendOne(db.pool, input)).toMatchObject({ status: 'duplicate', seq: 2 });
});

test('a conversation whose row stays locked does not hold up the others', async () => {
  await db.database.query("alter function expire_entries set lock_timeout = '100ms'");
  const ids = [await converse(db.pool, ['ann']), await converse(db.pool, ['ann'])];
  for (const id of ids) {
    await sendOne(db.pool, message(id, 'ann'));
    await setEntry(db.database, id, 2, { expires_at: PAST });
  }
  const holder = new pg.Client(db.database.connectionString);
  await holder.connect();
  await holder.query('begin');
  await holder.query('select from conversation where id = $1 for update', [ids[0]]);
  const { touched } = await expireEntries(db.pool, 10);
  expect(touched.map((one) => one.conversationId)).toEqual([ids[1]]);
  await holder.query('commit');
  await holder.end();
  expect(await expireAll()).toEqual([ids[0]]);
});

test('an expiry waits for who holds the conversation, and judges what that one left', async () => {
  await db.database.query("alter function expire_entries set lock_timeout = '5s'");
  const id = await converse(db.pool, ['ann']);
  await sendOne(db.pool, message(id, 'ann'));
  await setEntry(db.database, id, 2, { expires_at: PAST });
  const holder = new pg.Client(db.database.connectionString);
  await holder.connect();
  await holder.query('begin');
  await holder.query('select from conversation where id = $1 for update', [id]);
  const expiring = expireEntries(db.pool, 10);
  await waitFor('the job to wait', async () => {
    const sql = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    return (await db.database.query(sql)).length === 1;
  });
  await holder.query('update entry set redacted_at = now(), body = null where conversation_id = $1 and seq = 2', [id]);
  await holder.query('commit');
  await holder.end();
  expect((await expiring).touched).toEqual([]);
});

test('a message that was edited, reacted to, pinned and quoted expires with its versions and edits', async () => {
  const id = await converse(db.pool, ['ann', 'bob']);
  const [ann, bob] = [actor(db.pool, id, 'ann'), actor(db.pool, id, 'bob')];
  const secret = `${CANARY}-acts`;
  const seq = await ann.say(secret, { mentions: ['bob'], expiresInSeconds: 3600 });
  await ann.edit(seq, `${secret} two`, { mentions: ['bob'] });
  await ann.edit(seq, `${secret} three`, { mentions: ['bob'] });
  await bob.react(seq, '👍');
  await bob.pin(seq);
  const reply = await bob.say('yes', { replyTo: seq });
  const query = { appId: 'a', userId: 'bob', ids: [id], limit: 1 };
  const read = async () => {
    const [page] = await entriesAfter(db.pool, [{ conversationId: id, after: 0, limit: 100 }]);
    return (page?.rows ?? []).map((row) => row.text);
  };
  expect((await read()).filter((text) => text.includes(secret))).toHaveLength(3);
  await db.database.query('update entry set expires_at = $2 where conversation_id = $1 and expires_at is not null', [id, PAST]);
  await db.database.query('update mention set expires_at = $2 where conversation_id = $1', [id, PAST]);
  const before = await read();
  expect(before.filter((text) => text.includes(secret))).toEqual([]);
  expect(JSON.parse(before[seq - 1] ?? '')).toMatchObject({ seq, redacted: true, stateSeq: expect.any(Number), body: null });
  expect(JSON.parse(before[reply - 1] ?? '').replyTo).toEqual({ seq, senderId: 'ann', excerpt: '', expiresAt: PAST, redacted: true });
  expect((await heads(db.pool, query))[0]?.mentions).toBe(0);
  expect(await expireAll()).toContain(id);
  expect(await read()).toEqual(before);
  expect(await tablesWith(db.database, secret)).toEqual([]);
  for (const table of ['mention', 'pin', 'reaction', 'entry_version'])
    expect(await db.database.query(`select 1 from ${table} where conversation_id = $1`, [id])).toEqual([]);
  await assertLog(db.database, id);
});

/** Makes the first `count` entries old, and asks for a retention that only the others meet. */
async function age(id: string, count: number): Promise<void> {
  await db.database.query(
    "update entry set created_at = now() - interval '1 day' + seq * interval '1 ms' where conversation_id = $1 and seq <= $2",
    [id, count],
  );
  await db.database.query('update conversation set retention_s = 3600 where id = $1', [id]);
}

async function retainAll(chunk: number): Promise<number> {
  for (let steps = 0; ; steps += 1) if (!(await retainConversations(db.pool, { limit: 1, chunk })).more) return steps + 1;
}

const oldest = async (id: string) =>
  (await db.database.query<{ n: number }>('select oldest_seq::int as n from conversation where id = $1', [id]))[0]?.n;

test.each([0, 1, 2, 3, 4, 5])('retention keeps from the first entry that is young enough: %i of 5 are old', async (old) => {
  const id = await canaries();
  await age(id, old);
  const { touched, more } = await retainConversations(db.pool, { limit: 10, chunk: 100 });
  expect(touched).toEqual(old === 0 ? [] : [{ appId: 'a', conversationId: id, memberVersion: 1, head: 5, outboxId: expect.any(String) }]);
  expect(more).toBe(false);
  expect(await oldest(id)).toBe(old + 1);
  const bare = await db.database.query<{ seq: number }>(
    'select seq::int from entry where conversation_id = $1 and body is null and seq <> 4 order by seq',
    [id],
  );
  expect(bare.map((row) => row.seq)).toEqual([1, 2, 3, 5].filter((seq) => seq <= old));
  const [edit] = await db.database.query('select body is null as gone from entry where conversation_id = $1 and seq = 4', [id]);
  expect(edit).toEqual({ gone: old >= 2 });
  for (const table of ['reaction', 'pin', 'entry_version', 'mention']) {
    const rows = await db.database.query(`select 1 from ${table} where conversation_id = $1`, [id]);
    expect(rows.length > 0).toBe(old < 2);
  }
  expect(await retainConversations(db.pool, { limit: 10, chunk: 100 })).toEqual({ touched: [], more: false });
  await assertLog(db.database, id);
  expect((await sendOne(db.pool, message(id, 'bob'))).seq).toBe(6);
  await db.database.query('delete from entry_version; delete from reaction; delete from pin; delete from mention;');
  await db.database.query('update conversation set retention_s = 0');
});

test('retention goes by steps, each whole', async () => {
  const id = await converse(db.pool, ['ann', 'bob']);
  for (let n = 0; n < 10; n += 1) await sendOne(db.pool, message(id, 'ann'));
  await age(id, 10);
  expect(await retainConversations(db.pool, { limit: 10, chunk: 4 })).toMatchObject({ more: true });
  expect(await oldest(id)).toBe(5);
  expect(await retainAll(4)).toBeGreaterThan(1);
  expect(await oldest(id)).toBe(11);
  await db.database.query('update conversation set retention_s = 0');
});

const PEOPLE = ['ann', 'bob', 'cid'] as const;
const person = fc.constantFrom(...PEOPLE);
const seq = fc.integer({ min: 1, max: 25 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      by: person,
      count: fc.integer({ min: 1, max: 3 }),
      names: fc.subarray([...PEOPLE]),
      mode: fc.constantFrom('interactive', 'on_behalf' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), by: person, seq }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), seq, wipe: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retain' as const), seq, chunk: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('put' as const, 'remove' as const), who: person }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a member's head must show, counted over the log and the names in its messages. */
const RECOUNT = `
  select m.user_id, m.read_seq::int as read, c.oldest_seq::int as oldest,
    (select count(*)::int from entry e where e.conversation_id = m.conversation_id and e.countable and e.seq > m.read_seq and e.sender_id <> m.user_id) as unread,
    (select count(*)::int from entry e where e.conversation_id = m.conversation_id and e.seq > m.read_seq and m.user_id = any (e.mentions)
      and e.sender_id <> m.user_id and e.redacted_at is null and (e.expires_at is null or e.expires_at > now())) as mentions
  from member m join conversation c on c.id = m.conversation_id where m.conversation_id = $1 and m.left_seq is null and m.user_id <> 'root'`;

test('unread and mentions equal a recount after every step, under expiry and retention too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const id = await converse(db.pool, ['root', ...PEOPLE]);
      for (const one of steps) {
        await take(one, id);
        const members = await db.database.query(RECOUNT, [id]);
        for (const { user_id, read, unread, mentions, oldest: from } of members) {
          const query = { appId: 'a', userId: user_id, ids: [id] };
          const [head] = await heads(db.pool, { ...query, limit: 1 });
          expect({ user_id, unread: head?.unread, mentions: head?.mentions }).toEqual({ user_id, unread, mentions });
          expect(await unreadTotals(db.pool, query)).toEqual({ total: unread, mentions });
          expect(read).toBeGreaterThanOrEqual(from - 1);
        }
      }
      await assertLog(db.database, id);
      await db.database.query('update conversation set retention_s = 0 where id = $1', [id]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

async function take(one: Step, id: string): Promise<void> {
  if (one.kind === 'send') {
    const inputs = Array.from({ length: one.count }, () => message(id, one.by, { mode: one.mode }));
    const [first, ...rest] = inputs;
    if (first === undefined) return;
    for (const result of await send(db.pool, first, ...rest))
      if (result.status === 'ok' && one.names.length > 0) await mentionUsers(db.database, id, result.seq ?? 0, one.names);
  } else if (one.kind === 'read') await readUpTo(db.pool, id, one.by, one.seq);
  else if (one.kind === 'expire') {
    await db.database.query('update entry set expires_at = $3 where conversation_id = $1 and seq = $2', [id, one.seq, PAST]);
    await db.database.query('update mention set expires_at = $3 where conversation_id = $1 and seq = $2', [id, one.seq, PAST]);
    if (one.wipe) await expireAll();
  } else if (one.kind === 'retain') {
    await age(id, one.seq);
    await retainAll(one.chunk);
    await db.database.query('update conversation set retention_s = 0 where id = $1', [id]);
  } else {
    const type = one.kind === 'put' ? 'member.put' : 'member.remove';
    await sendOne(db.pool, change(id, 'root', type, { userId: one.who }));
  }
}
