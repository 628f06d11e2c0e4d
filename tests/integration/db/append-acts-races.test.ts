import { createPool, type Pool } from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { act, actor, storedEntry, storedLog, tablesWith } from './support/acts.ts';
import { assertLog, converse, createFixture, type Fixture, send, sendOne } from './support/fixture.ts';

let db: Fixture;
/** A second process's pool. */
let other: Pool;
beforeAll(async () => {
  db = await createFixture(10);
  // Here everyone contends for one row on purpose.
  for (const name of ['append_one', 'append_entries_v2']) await db.database.query(`alter function ${name} set lock_timeout = '20s'`);
  other = createPool({ connectionString: db.database.connectionString, applicationName: 'db-test-other', max: 10 });
});
afterAll(async () => {
  await other.end();
  await db[Symbol.asyncDispose]();
});

function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

test('a redaction, edits, reactions and pins at once: whichever order they took, nothing of the message is left', async () => {
  const orders = new Set<string>();
  for (let round = 0; round < 8; round += 1) {
    const id = await converse(db.pool, ['ann', 'bob']);
    const [ann, bob] = [actor(db.pool, id, 'ann'), actor(other, id, 'bob')];
    const canary = `canary-${id}`;
    const seq = await actor(other, id, 'bob').say(canary, { mentions: ['ann'] });
    const work = [
      () => bob.edit(seq, `${canary}2`, { mentions: ['ann'] }),
      () => ann.redact(seq),
      () => ann.react(seq, '👍'),
      () => bob.edit(seq, `${canary}3`),
      () => bob.react(seq, '👍'),
      () => ann.pin(seq),
    ];
    const results = values(await runTogether(round % 2 === 0 ? work : work.toReversed()));
    expect(results.filter(({ status }) => status !== 'ok' && status !== 'target_redacted')).toEqual([]);
    const log = await storedLog(db.database, id);
    const redaction = log.findIndex((entry) => entry.type === 'message.redacted');
    expect(log.slice(redaction + 1)).toEqual([]);
    orders.add(log.map((entry) => entry.type).join(' '));
    expect(await storedEntry(db.database, id, seq)).toMatchObject({
      body: null,
      mentions: null,
      reactions: null,
      pinned_at: null,
      state_seq: log[redaction]?.seq,
    });
    expect(await tablesWith(db.database, canary)).toEqual([]);
    for (const table of ['entry_version', 'reaction', 'pin', 'mention'])
      expect(await db.database.query(`select 1 from ${table} where conversation_id = $1`, [id]), table).toEqual([]);
    await assertLog(db.database, id);
  }
  expect(orders.size).toBeGreaterThan(1);
});

test('60 react at once, from two processes, then half of them take it back: the counter is exact after each', async () => {
  const people = Array.from({ length: 60 }, (_, index) => `user${index}`) as [string, ...string[]];
  const id = await converse(db.pool, people);
  const seq = await actor(db.pool, id, 'user0').say('hello');
  const by = (index: number) => actor(index % 2 === 0 ? db.pool : other, id, `user${index}`);
  const added = values(await runTogether(people.map((_, index) => () => by(index).react(seq, '👍'))));
  expect(added.every((result) => result.status === 'ok')).toBe(true);
  expect((await storedEntry(db.database, id, seq)).reactions).toMatchObject([{ emoji: '👍', count: 60 }]);
  const removed = values(
    await runTogether(people.map((_, index) => () => (index < 30 ? by(index).unreact(seq, '👍') : by(index).react(seq, '🎉')))),
  );
  expect(removed.every((result) => result.status === 'ok')).toBe(true);
  const first = await db.database.query<{ user_id: string; emoji: string }>(
    'select user_id, emoji from reaction where conversation_id = $1 and seq = $2 order by created_at, user_id',
    [id, seq],
  );
  const shown = (emoji: string) =>
    first
      .filter((row) => row.emoji === emoji)
      .slice(0, 10)
      .map((row) => row.user_id);
  const { reactions, state_seq } = await storedEntry(db.database, id, seq);
  expect(reactions).toEqual(['👍', '🎉'].map((emoji) => ({ emoji, count: 30, users: shown(emoji) })));
  const log = await storedLog(db.database, id);
  expect(state_seq).toBe(log.at(-1)?.seq);
  // Each entry says the count after it.
  const counts = { '👍': 0, '🎉': 0 };
  for (const entry of log.filter(({ target_seq }) => target_seq === seq)) {
    const emoji = entry.body?.emoji as '👍' | '🎉';
    counts[emoji] += entry.type === 'reaction.added' ? 1 : -1;
    expect(entry.body?.count).toBe(counts[emoji]);
  }
  await assertLog(db.database, id);
});

test('acts on many conversations in opposite orders, changes of their members beside them: no deadlock', async () => {
  const ids = await Promise.all(Array.from({ length: 5 }, () => converse(db.pool, ['ann', 'bob'])));
  const seqs = await Promise.all(ids.map((id) => actor(db.pool, id, 'ann').say('hello')));
  const work = Array.from({ length: 20 }, (_, index) => async () => {
    const pairs = ids.map((id, at) => [id, seqs[at] ?? 0] as const);
    const order = index % 2 === 0 ? pairs : pairs.toReversed();
    const inputs = order.map(([id, seq], at) =>
      (index + at) % 4 === 3
        ? act(id, 'ann', index % 3 === 0 ? 'member.ban' : 'member.unban', null, { body: { userId: `user${at % 2}`, until: null } })
        : act(id, index % 3 === 0 ? 'ann' : 'bob', 'reaction.added', seq, { body: { emoji: String.fromCodePoint(0x1f400 + index) } }),
    );
    const [first, ...rest] = inputs;
    if (first === undefined) throw new Error('there are five conversations');
    return send(index % 2 === 0 ? db.pool : other, first, ...rest);
  });
  const results = values(await runTogether(work)).flat();
  expect([...new Set(results.map((result) => result.status))].toSorted()).toEqual(['ok', 'unchanged']);
  const [row] = await db.database.query<{ deadlocks: string }>('select deadlocks from pg_stat_database where datname = current_database()');
  expect(Number(row?.deadlocks)).toBe(0);
  for (const id of ids) await assertLog(db.database, id);
});

test('two owners hand over to each other at once: one of them is owner', async () => {
  for (let round = 0; round < 6; round += 1) {
    const id = await converse(db.pool, ['ann', 'bob']);
    await actor(db.pool, id, 'ann').member('put', 'bob', { role: 'owner' });
    const work = [() => sendOne(db.pool, transfer(id, 'ann', 'bob')), () => sendOne(other, transfer(id, 'bob', 'ann'))];
    const results = values(await runTogether(work));
    // whoever comes second was made owner by the first
    expect(results.map((result) => result.status)).toEqual(['ok', 'ok']);
    const owners = await db.database.query(`select 1 from member where conversation_id = $1 and role = 'owner'`, [id]);
    expect(owners).toHaveLength(1);
    await assertLog(db.database, id);
  }
});

const transfer = (id: string, by: string, to: string) => act(id, by, 'member.transfer', null, { body: { userId: to } });
