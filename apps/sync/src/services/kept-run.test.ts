import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOpen, type NaiveOp, renderEntries } from '../testing/naive-entries.ts';
import { absorb, expire, firstStale, holdsFresh, type KeptRun, trimKept } from './kept-run.ts';
import { lastOf, type Run } from './run.ts';

type Step =
  | { readonly do: 'say'; readonly quotes: number; readonly expiresIn: number | undefined }
  | { readonly do: 'act'; readonly type: Exclude<NaiveOp['type'], 'message'>; readonly pick: number }
  | { readonly do: 'read'; readonly behind: number; readonly from: number; readonly limit: number; readonly late: number }
  | { readonly do: 'pass'; readonly ms: number };

const nat = fc.nat({ max: 12 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('say' as const), quotes: nat, expiresIn: fc.option(fc.constantFrom(1, 5, 20), { nil: undefined, freq: 3 }) }),
  fc.record({
    do: fc.constant('act' as const),
    type: fc.constantFrom('message.edited', 'message.edited', 'message.redacted', 'message.pinned', 'reaction.added', 'reaction.removed'),
    pick: nat,
  }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      behind: fc.constantFrom(0, 0, 0, 1, 2, 4),
      from: nat,
      limit: fc.integer({ min: 1, max: 12 }),
      late: fc.constantFrom(0, 0, 3),
    }),
  },
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 4) }),
);

function opOf(say: Exclude<Step, { do: 'read' | 'pass' }>, ops: readonly NaiveOp[], now: number): NaiveOp {
  const messages = ops.flatMap(({ type }, i) => (type === 'message' ? [i + 1] : []));
  if (say.do === 'say') {
    const quoted = say.quotes % 3 === 0 ? undefined : messages[messages.length - say.quotes];
    return {
      type: 'message',
      ...(quoted === undefined ? {} : { replyTo: quoted }),
      ...(say.expiresIn === undefined ? {} : { expiresAt: now + say.expiresIn }),
    };
  }
  const target = messages[messages.length - 1 - (say.pick % Math.max(1, messages.length))];
  if (target === undefined || !isOpen(ops, target, now)) return { type: 'message' };
  if (say.type === 'reaction.added' || say.type === 'reaction.removed') return { type: say.type, target, userId: `u${say.pick}` };
  return { type: say.type, target };
}

/** Rows of a state that is `behind` the newest, read at a time that may be over. */
function readOf(ops: readonly NaiveOp[], read: Extract<Step, { do: 'read' }>, now: number): { run: Run; head: number } {
  const head = Math.max(0, ops.length - read.behind);
  const texts = renderEntries(ops.slice(0, head), now - read.late);
  const first = Math.max(1, head - read.from + 1);
  return { run: { first, texts: texts.slice(first - 1, first - 1 + read.limit) }, head };
}

test('what is kept and not stale is what reading everything anew would show, after any reads of any states at any time', () => {
  let served = 0;
  let stale = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
      const ops: NaiveOp[] = [];
      let now = 100;
      let kept: KeptRun | undefined;
      for (const one of steps) {
        if (one.do === 'pass') now += one.ms;
        else if (one.do !== 'read') ops.push(opOf(one, ops, now));
        else {
          const { run, head } = readOf(ops, one, now);
          const before = kept;
          kept = absorb(before, run, head);
          if (kept !== undefined && kept !== before) kept = trimKept(kept, 9, 1_000_000);
          if (kept !== undefined && head === lastOf(kept) && one.late === 0) {
            const from = Math.max(run.first, kept.first);
            expect(firstStale(kept, from, lastOf(run)), 'a read of the same state leaves nothing stale').toBeUndefined();
          }
        }
        if (kept === undefined) continue;
        kept = expire(kept, now);
        const truth = renderEntries(ops.slice(0, lastOf(kept)), now);
        kept.texts.forEach((text, i) => {
          const seq = (kept?.first ?? 1) + i;
          if (kept?.stale.has(seq)) stale += 1;
          else {
            served += 1;
            expect(text).toBe(truth[seq - 1]);
          }
        });
      }
    }),
    { numRuns: 2000 },
  );
  expect([served > 1000, stale > 1000]).toEqual([true, true]);
});

const lines = (ops: readonly NaiveOp[], from = 1, now = 0): Run => ({ first: from, texts: renderEntries(ops, now).slice(from - 1) });
const kept = (ops: readonly NaiveOp[]): KeptRun => {
  const run = absorb(undefined, lines(ops), ops.length);
  if (run === undefined) throw new Error('nothing was kept');
  return run;
};
const message: NaiveOp = { type: 'message' };

describe('an acting entry', () => {
  const before: NaiveOp[] = [message, { type: 'message', replyTo: 1 }, message, { type: 'message.edited', target: 1 }];

  test.each<[string, NaiveOp, number[]]>([
    ['a reaction: its target', { type: 'reaction.added', target: 1, userId: 'u' }, [1]],
    ['a pin: its target', { type: 'message.pinned', target: 3 }, [3]],
    ['an edit: its target, what quotes it and the edit before', { type: 'message.edited', target: 1 }, [1, 2, 4]],
    ['a redaction: the same', { type: 'message.redacted', target: 1 }, [1, 2, 4]],
    ['a message: nothing', message, []],
  ])('makes stale: %s', (_, op, stale) => {
    const run = absorb(kept(before), lines([...before, op], 5), 5);
    expect([...(run?.stale ?? [])].sort()).toEqual(stale);
    expect(run && [lastOf(run), holdsFresh(run, 5, 5)]).toEqual([5, true]);
    if (run !== undefined && stale.length > 0)
      expect([holdsFresh(run, 1, 5), firstStale(run, 2, 4)]).toEqual([false, stale[1] ?? (stale[0] === 3 ? 3 : undefined)]);
  });

  test('is heeded when texts of an older state arrive after it', () => {
    const after: NaiveOp[] = [...before, { type: 'message.redacted', target: 1 }];
    const tail = absorb(undefined, lines(after, 5), 5);
    const joined = absorb(tail, lines(before), 4);
    expect([joined?.first, [...(joined?.stale ?? [])]]).toEqual([1, [1, 2, 4]]);
    const filled = absorb(joined, lines(before, 1), 4);
    expect(filled).toBe(joined);
    const healed = absorb(joined, { first: 1, texts: renderEntries(after, 0).slice(0, 2) }, 5);
    expect([...(healed?.stale ?? [])]).toEqual([4]);
  });
});

test('a text is stale from the moment at which it or what it quotes expires, not before', () => {
  const ops: NaiveOp[] = [
    { type: 'message', expiresAt: 50 },
    { type: 'message', replyTo: 1 },
    { type: 'message', expiresAt: 90 },
  ];
  const run = kept(ops);
  expect([run.expiresAt, expire(run, 49) === run]).toEqual([50, true]);
  const later = expire(run, 50);
  expect([[...later.stale], later.expiresAt]).toEqual([[1, 2], 90]);
  const healed = absorb(later, lines(ops, 1, 50), 3);
  expect([healed?.stale.size, healed && expire(healed, 89).stale.size]).toEqual([0, 0]);
});
