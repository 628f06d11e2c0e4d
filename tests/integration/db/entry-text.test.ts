import { type EntryText, entriesAfter, heads, pinnedSeqs, pullPages } from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { converse, createFixture, type Fixture, message, sendOne } from './support/fixture.ts';
import { setEntry } from './support/folded.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const AT = '2026-01-02T03:04:05.006Z';
const PAST = '2026-01-03T00:00:00.000Z';
const FUTURE = '2100-01-01T00:00:00.000Z';

/** A conversation with `count` messages, seqs 2 and up. */
async function talk(count: number, text = 'hello'): Promise<string> {
  const id = await converse(db.pool, ['ann', 'bob']);
  for (let n = 0; n < count; n += 1) await sendOne(db.pool, message(id, 'ann', { text, clientMsgId: `m${n}` }));
  return id;
}

async function textOf(id: string, seq: number): Promise<string> {
  const [page] = await entriesAfter(db.pool, [{ conversationId: id, after: seq - 1, limit: 1 }]);
  return page?.rows[0]?.text ?? '';
}

const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const keys = (text: string) => Object.keys(parse(text));

test('a message with all that can be folded into it, in the order of the wire', async () => {
  const id = await talk(2);
  const reactions = [{ emoji: '👍', count: 2, users: ['ann', 'bob'] }];
  const folded = { reply_seq: 2, mentions: ['ann', 'bob'], reactions, pinned_at: AT, edited_at: AT, expires_at: FUTURE, state_seq: 9 };
  await setEntry(db.database, id, 3, folded);
  const text = await textOf(id, 3);
  expect(parse(text)).toEqual({
    seq: 3,
    type: 'message',
    senderId: 'ann',
    createdAt: expect.any(String),
    clientMsgId: 'm1',
    replyTo: { seq: 2, senderId: 'ann', excerpt: 'hello' },
    mentions: ['ann', 'bob'],
    reactions,
    pinned: true,
    editedAt: AT,
    expiresAt: FUTURE,
    stateSeq: 9,
    body: { text: 'hello' },
  });
  const order = 'seq type senderId createdAt clientMsgId replyTo mentions reactions pinned editedAt expiresAt stateSeq body';
  expect(keys(text)).toEqual(order.split(' '));
});

test.each([
  ['mentions', ['bob'], ['bob']],
  ['expires_at', FUTURE, FUTURE],
  ['state_seq', 7, 7],
])('%s alone', async (column, value, shown) => {
  const id = await talk(1);
  await setEntry(db.database, id, 2, { [column]: value });
  const key = column === 'expires_at' ? 'expiresAt' : column === 'state_seq' ? 'stateSeq' : column;
  const { [key]: found, ...rest } = parse(await textOf(id, 2));
  expect(found).toEqual(shown);
  expect(Object.keys(rest)).toEqual(['seq', 'type', 'senderId', 'createdAt', 'clientMsgId', 'body']);
});

test('an integrator`s own entry that counts says so, a tombstone too', async () => {
  const id = await talk(3);
  await setEntry(db.database, id, 2, { type: 'custom.poll' });
  await setEntry(db.database, id, 3, { type: 'custom.poll', countable: false });
  await setEntry(db.database, id, 4, { type: 'custom.poll', redacted_at: PAST, body: null, state_seq: 9 });
  const counting = parse(await textOf(id, 2));
  expect(counting).toMatchObject({ type: 'custom.poll', countable: true, clientMsgId: 'm0', body: { text: 'hello' } });
  expect(keys(await textOf(id, 3))).toEqual(['seq', 'type', 'senderId', 'createdAt', 'clientMsgId', 'body']);
  expect(parse(await textOf(id, 4))).toMatchObject({ countable: true, redacted: true, body: null });
});

test('what it acts on follows its type at once', async () => {
  const id = await talk(2);
  const body = { emoji: '👍', count: 1, users: ['bob'] };
  await setEntry(db.database, id, 3, { type: 'reaction.added', target_seq: 2, body });
  const text = await textOf(id, 3);
  expect(text.startsWith('{"seq":3,"type":"reaction.added","target":2,"senderId":"ann"')).toBe(true);
  expect(parse(text).body).toEqual(body);
  await setEntry(db.database, id, 3, { type: 'message.edited', body: null });
  expect(parse(await textOf(id, 3))).toMatchObject({ type: 'message.edited', target: 2, body: null });
});

test.each([
  ['redacted', { redacted_at: PAST }, {}],
  ['expired, the job not having come yet', { expires_at: PAST }, { expiresAt: PAST }],
  ['expired and wiped', { expires_at: PAST, redacted_at: PAST, body: null }, { expiresAt: PAST }],
])('a tombstone: %s', async (_name, columns, shown) => {
  const id = await talk(2);
  const folded = { reply_seq: 2, mentions: ['bob'], reactions: [{ emoji: 'x', count: 1, users: ['bob'] }], pinned_at: AT, edited_at: AT };
  await setEntry(db.database, id, 3, { ...folded, state_seq: 8, ...columns });
  const text = await textOf(id, 3);
  const base = { seq: 3, type: 'message', senderId: 'ann', createdAt: expect.any(String), clientMsgId: 'm1' };
  expect(parse(text)).toEqual({ ...base, ...shown, redacted: true, stateSeq: 8, body: null });
  const middle = 'expiresAt' in shown ? ['expiresAt'] : [];
  expect(keys(text)).toEqual(['seq', 'type', 'senderId', 'createdAt', 'clientMsgId', ...middle, 'redacted', 'stateSeq', 'body']);
});

test('an expired edit says of what', async () => {
  const id = await talk(2);
  await setEntry(db.database, id, 3, { type: 'message.edited', target_seq: 2, expires_at: PAST, mentions: ['bob'] });
  const text = await textOf(id, 3);
  expect(parse(text)).toMatchObject({ type: 'message.edited', target: 2, expiresAt: PAST, redacted: true, body: null });
  expect(parse(text)).not.toHaveProperty('mentions');
});

test('a quotation follows what it quotes', async () => {
  const id = await talk(2);
  await setEntry(db.database, id, 3, { reply_seq: 2 });
  const quoted = async () => parse(await textOf(id, 3)).replyTo;
  const base = { seq: 2, senderId: 'ann' };
  const long = `${'👍'.repeat(139)}"\\\n${'z'.repeat(20)}`;
  await setEntry(db.database, id, 2, { body: { text: long } });
  expect(await quoted()).toEqual({ ...base, excerpt: [...long].slice(0, 140).join('') });
  for (const body of [{ text: 5 }, { text: null }, {}, [], 'text', null]) {
    await setEntry(db.database, id, 2, { body });
    expect(await quoted()).toEqual({ ...base, excerpt: '' });
  }
  await setEntry(db.database, id, 2, { body: { text: 'secret' }, expires_at: FUTURE });
  expect(await quoted()).toEqual({ ...base, excerpt: 'secret', expiresAt: FUTURE });
  await setEntry(db.database, id, 2, { expires_at: PAST });
  expect(await quoted()).toEqual({ ...base, excerpt: '', expiresAt: PAST, redacted: true });
  await setEntry(db.database, id, 2, { expires_at: null, redacted_at: PAST });
  expect(await quoted()).toEqual({ ...base, excerpt: '', redacted: true });
  await setEntry(db.database, id, 3, { reply_seq: 99 });
  expect(await quoted()).toBeUndefined();
});

test('every way to read shows the same text', async () => {
  const id = await talk(3);
  await setEntry(db.database, id, 3, { reply_seq: 2, mentions: ['bob'], state_seq: 4 });
  await setEntry(db.database, id, 4, { pinned_at: AT, state_seq: 5 });
  await db.database.query(`insert into pin values ($1, 3, 'ann', '2026-01-01'), ($1, 4, 'bob', '2026-01-02')`, [id]);
  const [page] = await entriesAfter(db.pool, [{ conversationId: id, after: 0, limit: 10 }]);
  const rows: EntryText[] = page?.rows ?? [];
  const base = { conversationId: id, limit: 10, userId: 'ann' };
  for (const bounds of [
    { after: 0, before: null },
    { after: 0, before: 100 },
  ]) {
    const [pulled] = await pullPages(db.pool, [{ ...base, ...bounds }]);
    expect(pulled?.rows).toEqual(rows);
  }
  const pins = await pinnedSeqs(db.pool, id);
  expect(pins).toEqual([
    { seq: 4, pinnedBy: 'bob', createdAt: '2026-01-02T00:00:00.000Z', text: rows[3]?.text },
    { seq: 3, pinnedBy: 'ann', createdAt: '2026-01-01T00:00:00.000Z', text: rows[2]?.text },
  ]);
  await setEntry(db.database, id, 4, { expires_at: PAST });
  expect((await pinnedSeqs(db.pool, id)).map((pin) => pin.seq)).toEqual([3]);
});

test('the preview of a head shows a text that is one, and no more of a tombstone', async () => {
  const id = await talk(1, `${'é'.repeat(150)}`);
  const preview = async () => (await heads(db.pool, { appId: 'a', userId: 'bob', ids: [id], limit: 1 }))[0]?.lastMessage;
  const base = { seq: 2, senderId: 'ann', createdAt: expect.any(String) };
  expect(await preview()).toEqual({ ...base, excerpt: 'é'.repeat(140) });
  await setEntry(db.database, id, 2, { body: { text: { deep: 'x' } } });
  expect(await preview()).toEqual({ ...base, excerpt: '' });
  await setEntry(db.database, id, 2, { body: { text: 'secret' }, expires_at: PAST });
  expect(await preview()).toEqual({ ...base, excerpt: '', redacted: true });
  await setEntry(db.database, id, 2, { expires_at: null, redacted_at: PAST, body: null });
  expect(await preview()).toEqual({ ...base, excerpt: '', redacted: true });
  await db.database.query('update conversation set oldest_seq = 3 where id = $1', [id]);
  expect(await preview()).toBeNull();
});
