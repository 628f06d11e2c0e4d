import { randomUUID } from 'node:crypto';
import { append, heads, markRead, unreadTotals } from '@nudge/db';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertLog, change, converse, createFixture, type Fixture, message } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const PEOPLE = ['ann', 'bob', 'cid'] as const;
type Person = (typeof PEOPLE)[number];

type Step =
  | {
      readonly kind: 'send';
      readonly batch: readonly {
        readonly to: number;
        readonly by: Person;
        readonly mode: 'interactive' | 'scheduled' | 'on_behalf';
        readonly countable: boolean;
      }[];
    }
  | { readonly kind: 'read'; readonly reads: readonly { readonly to: number; readonly by: Person; readonly seq: number }[] }
  | { readonly kind: 'put' | 'remove'; readonly to: number; readonly who: Person };

const person = fc.constantFrom(...PEOPLE);
const to = fc.integer({ min: 0, max: 1 });
const mode = fc.constantFrom('interactive', 'interactive', 'interactive', 'scheduled', 'on_behalf' as const);
const countable = fc.constantFrom(true, true, true, false);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      batch: fc.array(fc.record({ to, by: person, mode, countable }), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      reads: fc.array(fc.record({ to, by: person, seq: fc.integer({ min: 0, max: 30 }) }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('put' as const, 'remove' as const), to, who: person }) },
);

/** Unread and own_unread as their definition says, counted over the log. */
const RECOUNT = `
  select m.user_id, c.message_count - m.read_count - m.own_unread as unread, m.own_unread,
    (select count(*) from entry e where e.conversation_id = m.conversation_id and e.countable and e.seq > m.read_seq and e.sender_id <> m.user_id) as naive,
    (select count(*) from entry e where e.conversation_id = m.conversation_id and e.countable and e.seq > m.read_seq and e.sender_id = m.user_id) as naive_own
  from member m join conversation c on c.id = m.conversation_id where m.conversation_id = $1 and m.left_seq is null`;

test('unread and own_unread equal a recount after every step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const ids = [await converse(db.pool, ['root', ...PEOPLE]), await converse(db.pool, ['root', ...PEOPLE])];
      for (const one of steps) {
        await take(one, ids);
        for (const id of ids) {
          const rows = await db.database.query(RECOUNT, [id]);
          for (const { user_id, unread, own_unread, naive, naive_own } of rows)
            expect({ user_id, unread, own_unread }).toEqual({ user_id, unread: naive, own_unread: naive_own });
        }
      }
      for (const id of ids) await assertLog(db.database, id);
      for (const userId of PEOPLE) {
        const rows = await heads(db.pool, { appId: 'a', userId, ids, limit: 10 });
        const { total } = await unreadTotals(db.pool, { appId: 'a', userId, ids });
        expect(rows.reduce((sum, row) => sum + row.unread, 0)).toBe(total);
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

async function take(one: Step, ids: readonly string[]): Promise<void> {
  const id = (index: number): string => ids[index] ?? '';
  const outboxId = randomUUID();
  if (one.kind === 'send') {
    const inputs = one.batch.map((input) => message(id(input.to), input.by, { mode: input.mode, countable: input.countable }));
    const results = await append(db.pool, { route: id(0), outboxId, inputs });
    for (const [index, result] of results.entries()) {
      if (result.status !== 'ok') continue;
      const [row] = await db.database.query('select read_seq::int from member where conversation_id = $1 and user_id = $2', [
        inputs[index]?.conversationId,
        inputs[index]?.senderId,
      ]);
      expect(row).toEqual({ read_seq: result.readSeq });
    }
  } else if (one.kind === 'read') {
    const inputs = one.reads.map((read) => ({ appId: 'a', conversationId: id(read.to), userId: read.by, seq: read.seq }));
    const results = await markRead(db.pool, { route: id(0), outboxId, inputs });
    for (const [index, result] of results.entries()) {
      if (result.status === 'not_found') continue;
      expect(result.readSeq).toBeGreaterThanOrEqual(Math.min(inputs[index]?.seq ?? 0, result.head ?? 0));
      expect(result.readSeq).toBeLessThanOrEqual(result.head ?? 0);
    }
  } else {
    const type = one.kind === 'put' ? 'member.put' : 'member.remove';
    await append(db.pool, { route: id(0), outboxId, inputs: [change(id(one.to), 'root', type, { userId: one.who })] });
  }
}
