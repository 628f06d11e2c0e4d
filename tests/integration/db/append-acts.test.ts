import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { act, actor, storedEntry, storedLog, tablesWith } from './support/acts.ts';
import { assertLog, change, converse, createFixture, type Fixture, message, send, sendOne, statuses } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const ACTS = ['message.edited', 'message.redacted', 'reaction.added', 'reaction.removed', 'message.pinned', 'message.unpinned'] as const;
const bodyOf = (type: string): unknown => (type === 'message.edited' ? { text: 'new' } : { emoji: '👍' });

async function group(...others: string[]) {
  const id = await converse(db.pool, ['ann', 'bob', ...others]);
  return { id, ann: actor(db.pool, id, 'ann'), bob: actor(db.pool, id, 'bob') };
}

describe.each(ACTS)('%s is judged', (type) => {
  const attempt = (id: string, who: string, target: number, fields = {}) =>
    sendOne(db.pool, act(id, who, type, target, { body: bodyOf(type), ...fields }));

  test('not_found, not_member, banned: before the target is looked at', async () => {
    const { id, bob } = await group();
    const seq = await bob.say('hello');
    expect(await attempt(randomUUID(), 'bob', seq)).toMatchObject({ status: 'not_found', seq: null });
    expect(await attempt(id, 'bob', seq, { appId: 'b' })).toMatchObject({ status: 'not_found' });
    expect(await attempt(id, 'eve', 99)).toMatchObject({ status: 'not_member' });
    await db.database.query(`update member set banned_until = 'infinity' where conversation_id = $1 and user_id = 'bob'`, [id]);
    expect(await attempt(id, 'bob', 99)).toMatchObject({ status: 'banned' });
    await sendOne(db.pool, change(id, 'ann', 'member.remove', { userId: 'bob' }));
    expect(await attempt(id, 'bob', seq)).toMatchObject({ status: 'not_member' });
  });

  test('target_missing: not there yet, no longer kept, or from before one joined', async () => {
    const id = await converse(db.pool, ['ann', 'bob'], { history: 'since_join' });
    const early = await actor(db.pool, id, 'ann').say('early');
    await sendOne(db.pool, change(id, 'ann', 'member.put', { userId: 'cid', role: 'owner' }));
    const late = await actor(db.pool, id, 'cid').say('late');
    expect(await attempt(id, 'cid', early)).toMatchObject({ status: 'target_missing' });
    expect(await attempt(id, 'cid', late + 1)).toMatchObject({ status: 'target_missing' });
    await db.database.query('update conversation set oldest_seq = $2 where id = $1', [id, early + 1]);
    expect(await attempt(id, 'ann', early)).toMatchObject({ status: 'target_missing' });
    expect(await attempt(id, '$system', early, { mode: 'admin' })).toMatchObject({ status: 'target_missing' });
  });

  test('target_invalid: a system entry, or an act', async () => {
    const { id, ann } = await group();
    const seq = await ann.say('hello');
    const { seq: reacted } = await ann.react(seq, '🎉');
    expect(await attempt(id, 'ann', 1)).toMatchObject({ status: 'target_invalid' });
    expect(await attempt(id, 'ann', reacted ?? 0)).toMatchObject({ status: 'target_invalid' });
  });

  test('blocked, frozen, muted: whatever but a redaction; not on behalf', async () => {
    const refused = (status: string) => (type === 'message.redacted' ? 'ok' : status);
    const direct = await converse(db.pool, ['ann', 'bob'], { type: 'direct' });
    const set = (sql: string, id: string) =>
      db.database.query(`update ${sql} ${sql.startsWith('member') ? "where user_id = 'bob' and conversation_id" : 'where id'} = $1`, [id]);
    const prepared = async () => {
      const bob = actor(db.pool, direct, 'bob');
      const seq = await bob.say('hello');
      if (type === 'reaction.removed') await bob.react(seq, '👍');
      if (type === 'message.unpinned') await bob.pin(seq);
      return seq;
    };
    const seqs = [await prepared(), await prepared(), await prepared(), await prepared()] as const;
    await set('member set blocked_at = now()', direct);
    expect(await attempt(direct, 'bob', seqs[0])).toMatchObject({ status: refused('blocked') });
    await set('member set blocked_at = null', direct);
    await set('conversation set frozen_at = now()', direct);
    expect(await attempt(direct, 'bob', seqs[1])).toMatchObject({ status: refused('frozen') });
    await set('conversation set frozen_at = null', direct);
    await set("member set muted_until = now() + interval '1 hour'", direct);
    expect(await attempt(direct, 'bob', seqs[2])).toMatchObject({ status: refused('muted') });
    await set('member set blocked_at = now()', direct);
    expect(await attempt(direct, 'bob', seqs[3], { mode: 'on_behalf' })).toMatchObject({ status: 'ok' });
  });

  test('a redacted or expired target: target_redacted; redacting it changes nothing', async () => {
    const { id, ann } = await group();
    const expected = type === 'message.redacted' ? 'unchanged' : 'target_redacted';
    const gone = await ann.say('hello');
    await ann.redact(gone);
    expect(await attempt(id, 'ann', gone)).toMatchObject({ status: expected, seq: null });
    const expired = await ann.say('hello', { expiresInSeconds: 60 });
    await db.database.query(`update entry set expires_at = now() where conversation_id = $1 and seq = $2`, [id, expired]);
    expect(await attempt(id, 'ann', expired)).toMatchObject({ status: expected, seq: null });
  });

  test('a clientMsgId makes it idempotent', async () => {
    const { id, ann } = await group();
    const seq = await ann.say('hello');
    if (type === 'reaction.removed') await ann.react(seq, '👍');
    if (type === 'message.unpinned') await ann.pin(seq);
    const key = { clientMsgId: 'once', contentHash: Buffer.from('x') };
    const first = await attempt(id, 'ann', seq, key);
    expect(first).toMatchObject({ status: 'ok' });
    expect(await attempt(id, 'ann', seq, key)).toMatchObject({ status: 'duplicate', seq: first.seq, createdAt: first.createdAt });
    expect(await attempt(id, 'ann', seq, { ...key, contentHash: Buffer.from('y') })).toMatchObject({ status: 'conflict', seq: first.seq });
    await assertLog(db.database, id);
  });
});

describe('edits', () => {
  test('fold into the target; the entry says the new body, the version table the old one', async () => {
    const { id, ann } = await group();
    const seq = await ann.say('one', { mentions: ['bob'] });
    const first = await ann.edit(seq, 'two');
    expect(first).toMatchObject({ status: 'ok', seq: seq + 1, memberVersion: 1, memberCount: 2, touched: [] });
    const target = await storedEntry(db.database, id, seq);
    expect(target).toMatchObject({ body: { text: 'two' }, mentions: null, state_seq: seq + 1, edit_seq: seq + 1, countable: true });
    expect(target.edited_at?.toISOString()).toBe(first.createdAt);
    expect(await storedEntry(db.database, id, seq + 1)).toMatchObject({
      type: 'message.edited',
      sender_id: 'ann',
      target_seq: seq,
      body: { text: 'two' },
      countable: false,
    });
    await ann.edit(seq, 'three', { mentions: ['bob', 'bob', 'ann'] });
    expect(await storedEntry(db.database, id, seq)).toMatchObject({ body: { text: 'three' }, mentions: ['bob', 'ann'], edit_seq: seq + 2 });
    expect(await storedEntry(db.database, id, seq + 1)).toMatchObject({ body: null });
    expect(await storedEntry(db.database, id, seq + 2)).toMatchObject({ body: { text: 'three' }, mentions: ['bob', 'ann'] });
    const versions = await db.database.query(
      'select edit_seq::int, body, mentions, written_at from entry_version where conversation_id = $1 order by edit_seq',
      [id],
    );
    expect(versions).toMatchObject([
      { edit_seq: seq + 1, body: { text: 'one' }, mentions: ['bob'], written_at: target.created_at },
      { edit_seq: seq + 2, body: { text: 'two' }, mentions: null, written_at: target.edited_at },
    ]);
    await assertLog(db.database, id);
  });

  test('only by the author; by the integrator too', async () => {
    const { id, ann, bob } = await group();
    const seq = await bob.say('hello');
    expect(await ann.edit(seq, 'x')).toMatchObject({ status: 'forbidden' });
    expect(await ann.run('message.edited', seq, { body: { text: 'x' }, mode: 'on_behalf' })).toMatchObject({ status: 'forbidden' });
    const admin = { body: { text: 'x' }, senderId: '$system', mode: 'admin' } as const;
    expect(await ann.run('message.edited', seq, admin)).toMatchObject({ status: 'ok' });
    expect(await storedEntry(db.database, id, seq + 1)).toMatchObject({ sender_id: '$system' });
  });

  test('ifStateSeq, unchanged, strangers', async () => {
    const { id, ann } = await group();
    const seq = await ann.say('hello');
    expect(await ann.edit(seq, 'x', { ifStateSeq: seq })).toMatchObject({ status: 'state_changed' });
    expect(await ann.edit(seq, 'x', { ifStateSeq: 0 })).toMatchObject({ status: 'ok' });
    expect(await ann.edit(seq, 'y', { ifStateSeq: 0 })).toMatchObject({ status: 'state_changed' });
    expect(await ann.edit(seq, 'x', { ifStateSeq: seq + 1 })).toMatchObject({ status: 'unchanged', seq: null });
    expect(await ann.edit(seq, 'x', { mentions: ['eve'] })).toMatchObject({ status: 'mention_stranger' });
    expect(await ann.edit(seq, 'x', { mentions: ['bob'] })).toMatchObject({ status: 'ok' });
    await ann.member('remove', 'bob');
    expect(await ann.edit(seq, 'z', { mentions: ['bob'] })).toMatchObject({ status: 'ok' });
    await assertLog(db.database, id);
  });

  test('of an expiring message: the edit and its mentions expire with it', async () => {
    const { id, ann } = await group();
    const seq = await ann.say('hello', { expiresInSeconds: 60 });
    const { expires_at, created_at } = await storedEntry(db.database, id, seq);
    expect((expires_at?.getTime() ?? 0) - created_at.getTime()).toBe(60_000);
    await ann.edit(seq, 'x', { mentions: ['bob'] });
    expect(await storedEntry(db.database, id, seq + 1)).toMatchObject({ expires_at });
    expect(await db.database.query('select expires_at from mention where conversation_id = $1', [id])).toEqual([{ expires_at }]);
  });
});

test('a redaction leaves what was said in no table, for ever; the seq stays', async () => {
  const { id, ann, bob } = await group();
  const canary = `canary${randomUUID()}`;
  const quoted = await ann.say('quoted');
  const clientMsgId = randomUUID();
  const sent = await sendOne(
    db.pool,
    message(id, 'bob', { text: canary, clientMsgId, extra: JSON.stringify({ replyTo: quoted, mentions: ['ann'] }) }),
  );
  const seq = sent.seq ?? 0;
  await bob.edit(seq, `${canary}2`, { mentions: ['ann'] });
  await ann.react(seq, '👍');
  await bob.edit(seq, `${canary}3`);
  await bob.edit(seq, `${canary}4`, { mentions: ['ann'] });
  await ann.pin(seq);
  expect(await tablesWith(db.database, canary)).toEqual(expect.arrayContaining(['entry', 'entry_version']));
  const redacted = await ann.redact(seq);
  expect(redacted).toMatchObject({ status: 'ok' });
  expect(await tablesWith(db.database, canary)).toEqual([]);
  expect(await storedEntry(db.database, id, seq)).toMatchObject({
    body: null,
    mentions: null,
    reactions: null,
    reply_seq: null,
    pinned_at: null,
    state_seq: redacted.seq,
  });
  for (const table of ['entry_version', 'reaction', 'pin', 'mention'])
    expect(await db.database.query(`select 1 from ${table} where conversation_id = $1`, [id]), table).toEqual([]);
  expect(await bob.redact(seq)).toMatchObject({ status: 'unchanged', seq: null });
  const [row] = await db.database.query('select last_message_seq::int, message_count::int from conversation where id = $1', [id]);
  expect(row).toEqual({ last_message_seq: seq, message_count: 2 });
  expect(await sendOne(db.pool, message(id, 'bob', { text: canary, clientMsgId }))).toMatchObject({ status: 'duplicate', seq });
  await assertLog(db.database, id);
});

describe('reactions', () => {
  test('fold to counts and the first ten; the entry says the emoji as it is after it', async () => {
    const people = Array.from({ length: 12 }, (_, index) => `user${String(index).padStart(2, '0')}`);
    const { id, ann } = await group(...people);
    const seq = await ann.say('hello');
    for (const user of people) await actor(db.pool, id, user).react(seq, '👍');
    await ann.react(seq, '🎉');
    const folded = async () => (await storedEntry(db.database, id, seq)).reactions;
    expect(await folded()).toEqual([
      { emoji: '👍', count: 12, users: people.slice(0, 10) },
      { emoji: '🎉', count: 1, users: ['ann'] },
    ]);
    const { seq: left } = await actor(db.pool, id, 'user03').unreact(seq, '👍');
    const users = people.slice(0, 11).filter((user) => user !== 'user03');
    expect(await storedEntry(db.database, id, left ?? 0)).toMatchObject({
      type: 'reaction.removed',
      sender_id: 'user03',
      target_seq: seq,
      body: { emoji: '👍', count: 11, users },
    });
    expect((await folded())?.[0]).toEqual({ emoji: '👍', count: 11, users });
    expect(await actor(db.pool, id, 'user03').unreact(seq, '👍')).toMatchObject({ status: 'unchanged', seq: null });
    expect(await ann.react(seq, '🎉')).toMatchObject({ status: 'unchanged' });
    const { seq: last } = await ann.unreact(seq, '🎉');
    expect(await storedEntry(db.database, id, last ?? 0)).toMatchObject({ body: { emoji: '🎉', count: 0, users: [] } });
    expect(await storedEntry(db.database, id, seq)).toMatchObject({ reactions: [{ emoji: '👍' }], state_seq: last });
    await assertLog(db.database, id);
  });

  test('at most 50 emojis on a message; those that are there may grow', async () => {
    const { id, ann, bob } = await group();
    const seq = await ann.say('hello');
    const emojis = Array.from({ length: 51 }, (_, index) => String.fromCodePoint(0x1f400 + index));
    for (const emoji of emojis.slice(0, 50)) expect(await ann.react(seq, emoji)).toMatchObject({ status: 'ok' });
    expect(await ann.react(seq, emojis[50] ?? '')).toMatchObject({ status: 'limit_reached', seq: null });
    expect(await bob.react(seq, emojis[7] ?? '')).toMatchObject({ status: 'ok' });
    expect(await ann.react(seq, emojis[7] ?? '')).toMatchObject({ status: 'unchanged' });
    await ann.unreact(seq, emojis[0] ?? '');
    expect(await ann.react(seq, emojis[50] ?? '')).toMatchObject({ status: 'ok' });
    const { reactions } = await storedEntry(db.database, id, seq);
    expect(reactions?.map((reaction) => reaction.emoji)).toEqual(emojis.slice(1));
  });
});

test('pins: on and off, 100 a conversation', async () => {
  const { id, ann } = await group();
  const sent = await send(db.pool, ...([message(id, 'ann'), ...Array.from({ length: 100 }, () => message(id, 'ann'))] as const));
  const seqs = sent.map((result) => result.seq ?? 0);
  const [first = 0] = seqs;
  for (const seq of seqs.slice(0, 100)) expect(await ann.pin(seq)).toMatchObject({ status: 'ok' });
  expect(await ann.pin(seqs[100] ?? 0)).toMatchObject({ status: 'limit_reached' });
  expect(await ann.pin(first)).toMatchObject({ status: 'unchanged' });
  const off = await ann.unpin(first);
  expect(off).toMatchObject({ status: 'ok' });
  expect(await ann.unpin(first)).toMatchObject({ status: 'unchanged' });
  expect(await storedEntry(db.database, id, first)).toMatchObject({ pinned_at: null, state_seq: off.seq });
  expect(await ann.pin(seqs[100] ?? 0)).toMatchObject({ status: 'ok' });
  expect(await storedEntry(db.database, id, seqs[100] ?? 0)).toMatchObject({ pinned_at: expect.any(Date) });
  await assertLog(db.database, id);
});

test('an act stands alone in its conversation, others of the call are written', async () => {
  const { id, ann } = await group();
  const other = await converse(db.pool, ['ann']);
  const seq = await ann.say('hello');
  const react = act(id, 'ann', 'reaction.added', seq, { body: { emoji: '👍' } });
  expect(await statuses(db.pool, message(other, 'ann'), react, message(id, 'ann'), react)).toEqual(['ok', 'ok', 'repeat', 'repeat']);
  const log = await storedLog(db.database, id);
  expect(log.map((entry) => entry.type)).toEqual(['conversation.created', 'message', 'reaction.added']);
});

test('the outbox names the new head', async () => {
  const { id, ann } = await group();
  const seq = await ann.say('hello');
  await db.database.query('delete from outbox');
  await ann.react(seq, '👍');
  expect(await db.database.query('select payload from outbox')).toEqual([{ payload: { heads: [['a', id, seq + 1]] } }]);
});
