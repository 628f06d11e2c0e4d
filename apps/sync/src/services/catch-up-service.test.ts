import { NudgeError, type Router } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countingStore } from '../testing/counting-store.ts';
import { NaiveLog } from '../testing/naive-log.ts';
import { readerUnderTest } from '../testing/reader-under-test.ts';
import { CatchUpService } from './catch-up-service.ts';
import type { LogDelta } from './log-delta.ts';
import type { Source } from './page-reader.ts';
import { Replicas } from './replicas.ts';

const limits = { page: 10, tooLong: 30 };
const signal = new AbortController().signal;

function setUp(ids: readonly string[], users: readonly string[] = ['ann']) {
  const truth = new NaiveLog();
  for (const id of ids) truth.create(id, 'app', users);
  const clock = new ManualClock();
  const [left, right] = [countingStore(truth.store()), countingStore(truth.store())];
  const reader = readerUnderTest(left, [], clock);
  const none = new Replicas([], clock, 1);
  const sources: Readonly<Record<string, Source>> = { left: { primary: left, replicas: none }, right: { primary: right, replicas: none } };
  const router: Router<Source> = {
    route: (id) => {
      const group = id.startsWith('r') ? 'right' : 'left';
      return { group, pool: sources[group] ?? reader.source };
    },
  };
  const { cache, standings } = reader;
  const service = new CatchUpService({ router, cache, reader: reader.reader, standings, clock, waitMs: 2000, limits });
  const deltas = (cursors: Readonly<Record<string, number>>, min?: number, limit = 100, userId = 'ann') => {
    const logs = Object.entries(cursors).map(([conversationId, after]) => ({ conversationId, after, min }));
    return service.deltas({ appId: 'app', userId, epoch: 1, logs, limit }, signal);
  };
  return { truth, left, right, reader, clock, deltas };
}

const shown = (delta: LogDelta | undefined): unknown => {
  if (delta === undefined || delta.kind === 'error') return delta?.error.code;
  const { entries, head, more } = JSON.parse(delta.page.whole.toString()) as { entries: { seq: number }[]; head: number; more: boolean };
  return { seqs: entries.map(({ seq }) => seq), head, more };
};

test('any number of cold logs costs two statements for each database, warm ones one, and with min none', async () => {
  const ids = ['l1', 'l2', 'l3', 'r1', 'r2'];
  const it = setUp(ids);
  const cursors = Object.fromEntries(ids.map((id) => [id, 0]));
  const all = ids.map(() => ({ seqs: [1], head: 1, more: false }));
  expect((await it.deltas(cursors)).map(shown)).toEqual(all);
  expect([it.left.standings, it.left.pages, it.right.standings, it.right.pages]).toEqual([[3], [3], [2], [2]]);
  await it.deltas(cursors);
  const statements = () => [it.left.standings.length, it.left.pages.length, it.right.standings.length, it.right.pages.length];
  const before = statements();
  expect((await it.deltas(cursors)).map(shown)).toEqual(all);
  expect(statements()).toEqual([(before[0] ?? 0) + 1, before[1], (before[2] ?? 0) + 1, before[3]]);
  const warm = statements();
  expect((await it.deltas(cursors, 1)).map(shown)).toEqual(all);
  expect(statements()).toEqual(warm);
});

test('a database that fails, fails only its own logs; when all fail, the request does', async () => {
  const it = setUp(['l1', 'r1']);
  it.right.mode = 'fails';
  expect((await it.deltas({ l1: 0, r1: 0 })).map(shown)).toEqual([{ seqs: [1], head: 1, more: false }, 'internal']);
  await expect(it.deltas({ r1: 0 })).rejects.toBeInstanceOf(NudgeError);
  it.right.mode = 'is silent';
  const waiting = it.deltas({ l1: 0, r1: 0 });
  await new Promise((resolve) => setImmediate(resolve));
  it.clock.advance(2000);
  expect((await waiting).map(shown)).toEqual([{ seqs: [1], head: 1, more: false }, 'not_caught_up']);
});

test('from any cursors, asking on until nothing is missing gives every entry once and in order', async () => {
  const log = fc.record({ length: fc.integer({ min: 1, max: 60 }), back: fc.integer({ min: 0, max: 40 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(log, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      async (logs, limit, withMin) => {
        const ids = logs.map((_, i) => (i % 2 === 0 ? `l${i}` : `r${i}`));
        const it = setUp(ids);
        const open = new Map<string, { cursor: number; seen: number[] }>();
        logs.forEach(({ length, back }, i) => {
          const id = ids[i] ?? '';
          for (let n = 1; n < length; n += 1) it.truth.append(id);
          open.set(id, { cursor: Math.max(0, length - back), seen: [] });
        });
        for (let round = 0; open.size > 0; round += 1) {
          expect(round).toBeLessThan(400);
          const cursors = Object.fromEntries([...open].map(([id, { cursor }]) => [id, cursor]));
          const answer = await it.deltas(cursors, withMin ? 1 : undefined, limit);
          let total = 0;
          [...open].forEach(([id, state], i) => {
            const delta = answer[i];
            if (delta === undefined || delta.kind === 'error') throw new Error(`no page of ${id}`);
            const { entries, head, more } = JSON.parse(delta.page.whole.toString()) as {
              entries: { seq: number }[];
              head: number;
              more: boolean;
            };
            total += entries.length;
            expect(head).toBe(it.truth.head(id));
            if (delta.kind === 'tooLong') {
              expect(head - state.cursor).toBeGreaterThan(limits.tooLong);
              state.cursor = delta.snapshotSeq - entries.length;
            }
            for (const { seq } of entries) {
              expect(seq).toBe(state.cursor + 1);
              state.cursor = seq;
            }
            expect(more).toBe(state.cursor < head);
            if (!more) open.delete(id);
          });
          expect(total).toBeLessThanOrEqual(limit);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('a member who leaves between the two statements is refused', async () => {
  const it = setUp(['l1'], ['ann', 'bob']);
  const { readStandings } = it.left;
  it.left.readStandings = async (pairs) => {
    const answer = await readStandings(pairs);
    if (it.truth.isMember('l1', 'bob')) it.truth.leave('l1', 'bob');
    return answer;
  };
  expect((await it.deltas({ l1: 0 }, undefined, 100, 'bob')).map(shown)).toEqual(['not_found']);
});
