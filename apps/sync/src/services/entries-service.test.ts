import { NudgeError } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isOpen, type NaiveOp, renderEntries } from '../testing/naive-entries.ts';
import { NaiveLog } from '../testing/naive-log.ts';
import { readerUnderTest } from '../testing/reader-under-test.ts';
import type { EntriesQuery, EntriesService } from './entries-service.ts';
import type { Page } from './page.ts';
import { FROM_THE_END, rangeOf, type Window } from './window.ts';

const APP = 'app';
const WAIT_MS = 2000;
const USERS = ['ann', 'bob'];
const CONVERSATIONS = ['c1', 'c2'];

type Command =
  | { readonly do: 'append'; readonly c: string; readonly times: number; readonly quotes: number; readonly expiresIn: number | undefined }
  | {
      readonly do: 'act';
      readonly c: string;
      readonly type: Exclude<NaiveOp['type'], 'message'>;
      readonly pick: number;
      readonly user: string;
    }
  | { readonly do: 'leave' | 'join'; readonly c: string; readonly user: string }
  | { readonly do: 'control' | 'key'; readonly c: string }
  | { readonly do: 'interrupt' | 'replicate' }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'release'; readonly times: number }
  | {
      readonly do: 'pull';
      readonly c: string;
      readonly user: string;
      readonly kind: Window['kind'];
      readonly back: number;
      readonly limit: number;
      readonly min: number | undefined;
    };

const c = fc.constantFrom(...CONVERSATIONS);
const user = fc.constantFrom(...USERS);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      c,
      times: fc.integer({ min: 1, max: 4 }),
      quotes: fc.nat({ max: 8 }),
      expiresIn: fc.option(fc.constantFrom(1, 50, 4000), { nil: undefined, freq: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('act' as const),
      c,
      type: fc.constantFrom('message.edited', 'message.redacted', 'message.pinned', 'reaction.added', 'reaction.added', 'reaction.removed'),
      pick: fc.nat({ max: 8 }),
      user,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'join' as const), c, user }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('control' as const, 'key' as const), c }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('interrupt' as const, 'replicate' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 100, 4000) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('release' as const), times: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pull' as const),
      c,
      user,
      kind: fc.constantFrom('after' as const, 'before' as const),
      back: fc.constantFrom(-3, -1, 0, 1, 2, 3, 5, 9, FROM_THE_END),
      limit: fc.integer({ min: 1, max: 7 }),
      min: fc.constantFrom(undefined, 0, 0, 1, -2),
    }),
  },
);

/** Long enough for tails to fill and go again. */
const story = fc.array(command, { minLength: 20, maxLength: 80, size: 'max' });

interface Pull {
  readonly query: EntriesQuery;
  readonly floor: number;
  readonly headBefore: number;
  readonly memberBefore: boolean;
  readonly versionBefore: number;
  readonly askedAt: number;
}

interface Shown {
  readonly seq: number;
  readonly target?: number;
  readonly reactions?: unknown;
  readonly replyTo?: { readonly seq: number };
}

/** The log at one head and one time for someone who sees it from `start`. */
function visible(ops: readonly NaiveOp[], start: number, now: number): readonly unknown[] {
  return renderEntries(ops, now).map((text) => {
    const entry = JSON.parse(text) as Shown & { readonly type: string };
    if (entry.target !== undefined && entry.target < start) return { seq: entry.seq, type: entry.type, target: entry.target };
    if (entry.replyTo !== undefined && entry.replyTo.seq < start) return { ...entry, replyTo: { seq: entry.replyTo.seq } };
    return entry;
  });
}

/** Each text is that of the page's head at some moment since the page was asked for; own reactions are of that head or a later one. */
function judgeTexts(truth: NaiveLog, pull: Pull, page: Answer, now: number): void {
  const { conversationId, userId } = pull.query;
  const ops = truth.ops(conversationId, page.head);
  const ends = ops.flatMap((op) => (op.type === 'message' && op.expiresAt !== undefined ? [op.expiresAt] : []));
  const moments = [pull.askedAt, ...ends.filter((at) => at > pull.askedAt && at < now), now].map((at) => visible(ops, page.oldestSeq, at));
  for (const entry of page.entries) expect(moments.map((moment) => moment[entry.seq - 1])).toContainEqual(entry);
  const reacted = page.entries.flatMap(({ seq, reactions }) => (reactions === undefined ? [] : [seq]));
  const heads = Array.from({ length: truth.head(conversationId) - page.head + 1 }, (_, i) => page.head + i);
  const owns = reacted.length === 0 ? [{}] : heads.map((head) => Object.fromEntries(truth.own(conversationId, userId, reacted, head)));
  expect(owns).toContainEqual(page.mine);
}

interface Answer {
  readonly entries: readonly Shown[];
  readonly mine: Readonly<Record<string, readonly string[]>>;
  readonly head: number;
  readonly oldestSeq: number;
  readonly more: boolean;
}

/** What every page must be, whatever happened meanwhile. */
function judge(truth: NaiveLog, pull: Pull, body: string, now: number): void {
  const { query, floor, headBefore } = pull;
  const { conversationId, userId, window } = query;
  const page = JSON.parse(body) as Answer;
  expect(page.head).toBeGreaterThanOrEqual(floor);
  if (query.min === undefined) expect(page.head).toBeGreaterThanOrEqual(headBefore);
  expect(page.head).toBeLessThanOrEqual(truth.head(conversationId));
  const start = truth.startsSeen(conversationId, userId);
  expect(start).toContain(page.oldestSeq);
  const { from, to, more } = rangeOf(window, page.oldestSeq, page.head);
  expect(page.entries.map(({ seq }) => seq)).toEqual(Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i));
  expect(page.more).toBe(more);
  judgeTexts(truth, pull, page, now);
  if (!truth.isMember(conversationId, userId)) expect(page.head).toBeLessThan(truth.leftSeq(conversationId, userId) ?? 0);
}

function judgeRefusal(truth: NaiveLog, pull: Pull, error: unknown, now: number): void {
  if (!(error instanceof NudgeError)) throw error;
  if (error.code === 'not_caught_up') {
    expect(now - pull.askedAt).toBeGreaterThanOrEqual(WAIT_MS);
    return;
  }
  const { conversationId } = pull.query;
  const unchanged = truth.memberVersion(conversationId) === pull.versionBefore;
  if (error.code === 'seq_ahead') {
    expect(pull.floor).toBeGreaterThan(pull.headBefore);
    if (unchanged) expect(pull.memberBefore).toBe(true);
  } else {
    expect(error.code).toBe('not_found');
    if (unchanged) expect(pull.memberBefore).toBe(false);
  }
}

/** As the route does it. */
async function list(entries: EntriesService, query: EntriesQuery): Promise<Page> {
  return entries.cached(query) ?? entries.list(query, new AbortController().signal);
}

/** Messages, or an act on one of the newest that can still be acted on. */
function write(truth: NaiveLog, step: Extract<Command, { do: 'append' | 'act' }>, now: number): void {
  const ops = truth.ops(step.c);
  if (step.do === 'append') {
    const quoted = ops.length - step.quotes;
    const replyTo = step.quotes > 0 && ops[quoted - 1]?.type === 'message' ? { replyTo: quoted } : {};
    const expiresAt = step.expiresIn === undefined ? {} : { expiresAt: now + step.expiresIn };
    for (let i = 0; i < step.times; i += 1) truth.append(step.c, { type: 'message', ...replyTo, ...(i === 0 ? expiresAt : {}) });
    return;
  }
  const target = ops.length - step.pick;
  if (!isOpen(ops, target, now)) return;
  if (step.type === 'reaction.added' || step.type === 'reaction.removed')
    truth.append(step.c, { type: step.type, target, userId: step.user });
  else truth.append(step.c, { type: step.type, target });
}

async function play(
  commands: readonly Command[],
  s: fc.Scheduler,
  options: { readonly replicas: number; readonly totalBytes: number; readonly history: 'full' | 'since_join' },
): Promise<void> {
  const clock = new ManualClock();
  const render = (ops: readonly NaiveOp[]): string[] => renderEntries(ops, clock.now());
  const truth = new NaiveLog(render);
  for (const id of CONVERSATIONS) truth.create(id, APP, USERS, options.history);
  const gate = (label: string): Promise<void> => s.schedule(Promise.resolve(), label);
  const replicas = Array.from({ length: options.replicas }, () => new NaiveLog(render));
  for (const replica of replicas) replica.catchUp(truth);
  const stores = replicas.map((replica) => replica.store(gate));
  await using reader = readerUnderTest(truth.store(gate), stores, clock, { totalBytes: options.totalBytes, pageEntries: 5 });
  const pending = new Set<Promise<void>>();

  const pull = (asked: Extract<Command, { do: 'pull' }>): void => {
    const { c: conversationId, user: userId } = asked;
    const head = truth.head(conversationId);
    const seq = asked.back === FROM_THE_END ? (asked.kind === 'before' ? FROM_THE_END : 0) : Math.max(0, head - asked.back);
    const window: Window = { kind: asked.kind, seq, limit: asked.limit };
    const min = asked.min === undefined ? undefined : Math.max(0, head - asked.min);
    const query: EntriesQuery = { appId: APP, userId, epoch: 1, conversationId, window, min };
    const cursor = asked.kind === 'after' ? seq : seq === FROM_THE_END ? 0 : Math.max(0, seq - 1);
    const judged: Pull = {
      query,
      floor: Math.max(min ?? 0, cursor),
      headBefore: head,
      memberBefore: truth.isMember(conversationId, userId),
      versionBefore: truth.memberVersion(conversationId),
      askedAt: clock.now(),
    };
    const answer = list(reader.entries, query).then(
      (page) => judge(truth, judged, page.whole.toString(), clock.now()),
      (error: unknown) => judgeRefusal(truth, judged, error, clock.now()),
    );
    pending.add(answer);
    void answer.then(
      () => pending.delete(answer),
      () => undefined,
    );
  };

  const release = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (s.count() > 0) await s.waitOne();
    }
  };

  for (const step of commands) {
    if (step.do === 'append' || step.do === 'act') write(truth, step, clock.now());
    else if (step.do === 'leave' && truth.isMember(step.c, step.user)) truth.leave(step.c, step.user);
    else if (step.do === 'join' && !truth.isMember(step.c, step.user)) truth.join(step.c, step.user);
    else if (step.do === 'control') await reader.control(APP, step.c, truth.memberVersion(step.c), truth.head(step.c));
    else if (step.do === 'key') await reader.key(APP, step.c, truth.head(step.c));
    else if (step.do === 'interrupt') reader.bus.interrupt();
    else if (step.do === 'replicate') for (const replica of replicas) replica.catchUp(truth);
    else if (step.do === 'advance') clock.advance(step.ms);
    else if (step.do === 'release') await release(step.times);
    else if (step.do === 'pull') pull(step);
    expect(reader.cache.bytes).toBeLessThanOrEqual(options.totalBytes);
  }
  for (let round = 0; pending.size > 0 && round < 400; round += 1) {
    await release(1);
    if (s.count() === 0) clock.advance(5);
    await Promise.race([...pending, new Promise((resolve) => setImmediate(resolve))]);
  }
  await Promise.all(pending);
}

const totalBytes = fc.constantFrom(1_000_000, 4000, 1500);
const history = fc.constantFrom('full' as const, 'since_join' as const);

test('whatever happens at the same time, a page is a true part of the log and reaches what was promised', async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.scheduler(), totalBytes, history, (commands, s, bytes, seen) =>
      play(commands, s, { replicas: 0, totalBytes: bytes, history: seen }),
    ),
    { numRuns: 500 },
  );
});

test('the same through replicas that are behind', async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.scheduler(), totalBytes, history, (commands, s, bytes, seen) =>
      play(commands, s, { replicas: 2, totalBytes: bytes, history: seen }),
    ),
    { numRuns: 500 },
  );
});
