import { afterAll, beforeAll, expect, test } from 'vitest';
import { actor, storedEntry } from './support/acts.ts';
import { assertLog, change, converse, createFixture, type Fixture, message, send, sendOne } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const withExtra = (id: string, sender: string, extra: object, overrides = {}) =>
  message(id, sender, { extra: JSON.stringify(extra), ...overrides });

test('reply, mentions and expiry are kept with the message', async () => {
  const id = await converse(db.pool, ['ann', 'bob', 'cid']);
  const quoted = await actor(db.pool, id, 'bob').say('quoted');
  const extra = { replyTo: quoted, mentions: ['cid', 'ann', 'bob', 'cid'], expiresInSeconds: 3600 };
  const result = await sendOne(db.pool, withExtra(id, 'ann', extra));
  expect(result).toMatchObject({ status: 'ok', seq: quoted + 1, touched: [] });
  const row = await storedEntry(db.database, id, quoted + 1);
  expect(row).toMatchObject({ reply_seq: quoted, mentions: ['cid', 'ann', 'bob'], countable: true, state_seq: null });
  expect(row.expires_at?.toISOString()).toBe(new Date(Date.parse(result.createdAt ?? '') + 3_600_000).toISOString());
  const rows = await db.database.query('select user_id, seq::int, expires_at from mention where conversation_id = $1 order by 1', [id]);
  expect(rows).toEqual(['bob', 'cid'].map((user_id) => ({ user_id, seq: quoted + 1, expires_at: row.expires_at })));
});

test('beside plain messages and for several conversations in one call', async () => {
  const one = await converse(db.pool, ['ann', 'bob']);
  const two = await converse(db.pool, ['ann', 'bob']);
  const results = await send(
    db.pool,
    message(one, 'ann'),
    withExtra(one, 'ann', { mentions: ['bob'] }),
    withExtra(two, 'bob', { mentions: ['eve'] }),
    withExtra(two, 'bob', { replyTo: 9 }),
    withExtra(two, 'bob', { mentions: ['ann'], replyTo: null }),
    withExtra(one, 'bob', { mentions: [] }),
  );
  expect(results.map(({ status, seq }) => [status, seq])).toEqual([
    ['ok', 2],
    ['ok', 3],
    ['mention_stranger', null],
    ['reply_missing', null],
    ['ok', 2],
    ['ok', 4],
  ]);
  const rows = await db.database.query('select conversation_id as id, user_id, seq::int from mention where conversation_id = any ($1)', [
    [one, two],
  ]);
  expect(rows).toEqual(
    expect.arrayContaining([
      { id: one, user_id: 'bob', seq: 3 },
      { id: two, user_id: 'ann', seq: 2 },
    ]),
  );
  expect(rows).toHaveLength(2);
  expect(await storedEntry(db.database, one, 4)).toMatchObject({ mentions: null });
  await assertLog(db.database, one);
  await assertLog(db.database, two);
});

test('what may be quoted: messages one sees, redacted ones too', async () => {
  const id = await converse(db.pool, ['ann', 'bob'], { history: 'since_join' });
  const ann = actor(db.pool, id, 'ann');
  const early = await ann.say('early');
  await sendOne(db.pool, change(id, 'ann', 'member.put', { userId: 'cid' }));
  const late = await ann.say('late');
  const { seq: reaction } = await ann.react(late, '👍');
  const quote = async (who: string, replyTo: number) => (await sendOne(db.pool, withExtra(id, who, { replyTo }))).status;
  expect(await quote('ann', early)).toBe('ok');
  expect(await quote('cid', early)).toBe('reply_missing');
  expect(await quote('cid', late)).toBe('ok');
  expect(await quote('cid', 1_000)).toBe('reply_missing');
  expect(await quote('cid', reaction ?? 0)).toBe('reply_missing');
  expect(await quote('ann', 1)).toBe('reply_missing');
  await ann.redact(late);
  expect(await quote('cid', late)).toBe('ok');
  await db.database.query('update conversation set oldest_seq = $2 where id = $1', [id, early + 1]);
  expect(await quote('ann', early)).toBe('reply_missing');
});

test('who has left cannot be mentioned; membership and mute are judged first, slow mode last', async () => {
  const id = await converse(db.pool, ['ann', 'bob', 'cid']);
  await sendOne(db.pool, change(id, 'ann', 'member.remove', { userId: 'cid' }));
  const attempt = (who: string, user: string, mode = 'interactive') =>
    sendOne(db.pool, withExtra(id, who, { mentions: [user] }, { mode })).then((result) => result.status);
  expect(await attempt('ann', 'cid')).toBe('mention_stranger');
  expect(await attempt('cid', 'eve')).toBe('not_member');
  await actor(db.pool, id, 'ann').member('mute', 'bob', { until: '2100-01-01T00:00:00.000Z' });
  expect(await attempt('bob', 'eve')).toBe('muted');
  expect(await attempt('bob', 'eve', 'on_behalf')).toBe('mention_stranger');
  await actor(db.pool, id, 'ann').member('mute', 'bob', { until: null });
  await actor(db.pool, id, 'ann').update({ slowModeSeconds: 60 });
  expect(await attempt('bob', 'eve')).toBe('mention_stranger');
  expect(await attempt('bob', 'ann')).toBe('ok');
  expect(await attempt('bob', 'ann')).toBe('slow_mode');
});

test('a duplicate is answered whatever it names', async () => {
  const id = await converse(db.pool, ['ann', 'bob']);
  const input = withExtra(id, 'ann', { mentions: ['bob'] });
  const first = await sendOne(db.pool, input);
  await actor(db.pool, id, 'ann').member('remove', 'bob');
  expect(await sendOne(db.pool, input)).toMatchObject({ status: 'duplicate', seq: first.seq });
  expect(await db.database.query('select 1 from mention where conversation_id = $1', [id])).toHaveLength(1);
});

test.each(['append_one', 'append_entries'])('blocked: direct sends, not on behalf (%s)', async (path) => {
  const id = await converse(db.pool, ['ann', 'bob'], { type: 'direct' });
  await db.database.query("update member set blocked_at = now() where conversation_id = $1 and user_id = 'bob'", [id]);
  const attempt = async (sender: string, mode: 'interactive' | 'scheduled' | 'on_behalf') => {
    const other = await converse(db.pool, ['someone']);
    const before = path === 'append_one' ? [] : [message(other, 'someone')];
    const results = await send(db.pool, ...([message(id, sender, { mode }), ...before] as const));
    return results[0]?.status;
  };
  expect(await attempt('bob', 'interactive')).toBe('blocked');
  expect(await attempt('bob', 'scheduled')).toBe('blocked');
  expect(await attempt('bob', 'on_behalf')).toBe('ok');
  expect(await attempt('ann', 'interactive')).toBe('ok');
});
