import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { actor, storedLog } from './support/acts.ts';
import { assertLog, converse, createFixture, type Fixture } from './support/fixture.ts';
import { type Folded, FoldModel, foldedOf } from './support/fold-model.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const PEOPLE = ['ann', 'bob', 'cid'] as const;
const ACTS = [
  ...['message.edited', 'message.edited', 'message.redacted', 'message.pinned', 'message.unpinned'],
  ...['reaction.added', 'reaction.added', 'reaction.added', 'reaction.removed', 'reaction.removed'],
] as const;
type ActType = 'message.edited' | 'message.redacted' | 'message.pinned' | 'message.unpinned' | 'reaction.added' | 'reaction.removed';

const person = fc.constantFrom(...PEOPLE);
const mentions = fc.array(person, { maxLength: 3 });
const text = fc.constantFrom('a', 'b', 'c');
const emoji = fc.constantFrom('👍', '🎉', '❤️');
const send = fc.record({ kind: fc.constant('send' as const), who: person, text, mentions });
const act = fc.record({
  kind: fc.constant('act' as const),
  type: fc.constantFrom(...(ACTS as readonly ActType[])),
  who: person,
  target: fc.nat(3),
  text,
  mentions,
  emoji,
});
const step = fc.oneof({ weight: 1, arbitrary: send }, { weight: 5, arbitrary: act });
const steps = fc.array(step, { minLength: 5, maxLength: 30 });
type First = typeof send extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each act is done, changes nothing when it is asked for again, and comes too late once the message is redacted: no seed goes without. */
const twice = (type: ActType): Step[] =>
  Array.from({ length: 2 }, () => ({ kind: 'act', type, who: 'bob', target: 0, text: 'b', mentions: [], emoji: '👍' }));
const allTwice = [...new Set(ACTS as readonly ActType[])].filter((type) => type !== 'message.redacted').flatMap(twice);
const everyAnswer: [First, Step[]] = [
  { kind: 'send', who: 'ann', text: 'a', mentions: [] },
  [...allTwice, ...twice('message.redacted'), ...allTwice],
];

test('folded rows, mention rows, versions and edit entries equal a naive recomputation', async () => {
  const reached = new Set<string>();
  await fc.assert(
    fc.asyncProperty(send, steps, async (first, others) => {
      const id = await converse(db.pool, [...PEOPLE]);
      // all are owners: who may do what is tested elsewhere
      for (const user of PEOPLE.slice(1)) await actor(db.pool, id, PEOPLE[0]).member('put', user, { role: 'owner' });
      const model = new FoldModel();
      const sent: number[] = [];
      for (const step of [first, ...others]) {
        const one = actor(db.pool, id, step.who);
        if (step.kind === 'send') {
          const seq = await one.say(step.text, { mentions: step.mentions });
          model.send(seq, step.who, step.text, step.mentions);
          sent.push(seq);
          continue;
        }
        const target = sent[step.target % sent.length] ?? 0;
        const sender = model.messages.get(target)?.sender;
        const who = step.type === 'message.edited' ? (sender ?? step.who) : step.who;
        const body = step.type === 'message.edited' ? { text: step.text } : { emoji: step.emoji };
        const result = await actor(db.pool, id, who).run(step.type, target, { body, extra: { mentions: step.mentions } });
        reached.add(`${step.type} ${result.status}`);
        const changed = model.apply(result.seq ?? 0, step.type, who, target, { ...step, at: result.createdAt ?? '' });
        expect([step.type, result.status === 'ok']).toEqual([step.type, changed]);
      }
      await compare(id, model);
      await assertLog(db.database, id);
    }),
    { numRuns: 60, endOnFailure: true, examples: [everyAnswer] },
  );
  for (const type of new Set(ACTS))
    expect([...reached].filter((one) => one.startsWith(type)).length, type).toBe(type.startsWith('message.redacted') ? 2 : 3);
});

async function compare(id: string, model: FoldModel): Promise<void> {
  const log = await storedLog(db.database, id);
  const stored = new Map<number, Folded>(log.filter((entry) => entry.type === 'message').map((entry) => [entry.seq, foldedOf(entry)]));
  expect(stored).toEqual(model.folded());
  const rows = await db.database.query<{ user_id: string; seq: number }>(
    'select user_id, seq::int from mention where conversation_id = $1',
    [id],
  );
  const sorted = (pairs: readonly (readonly [string, number])[]) => pairs.map((pair) => pair.join(' ')).toSorted();
  expect(sorted(rows.map((row) => [row.user_id, row.seq]))).toEqual(sorted(model.mentionRows()));
  for (const [seq, { versions, text: shown, mentions: named, edited, redacted }] of model.messages) {
    const kept = await db.database.query<{ text: string }>(
      `select body ->> 'text' as text from entry_version where conversation_id = $1 and seq = $2 order by edit_seq`,
      [id, seq],
    );
    expect(kept.map((row) => row.text)).toEqual(versions);
    const edits = log.filter((entry) => entry.type === 'message.edited' && entry.target_seq === seq);
    expect(edits.length > 0).toBe(edited);
    const speaking = edits.filter((entry) => entry.body !== null || entry.mentions !== null);
    expect(speaking).toMatchObject(edited && !redacted ? [{ seq: edits.at(-1)?.seq, body: { text: shown }, mentions: named }] : []);
  }
}
