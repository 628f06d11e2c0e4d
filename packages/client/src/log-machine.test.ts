import { describe, expect, it } from 'vitest';
import { line, page, seqs } from './fixtures/log.fixture.ts';
import { stepLog } from './log-machine.ts';
import { initialLog, type LogEvent, type LogState, type Pulling, type Starting } from './log-state.ts';

const common = { kind: 'entries', life: 1, ticket: 7 } as const;
const idle: LogState = { ...common, phase: 'idle', cursor: 10 };
const pulling: Pulling = { ...common, phase: 'pulling', cursor: 10, after: 10, target: 12, asked: 12, again: false, attempt: 3 };
const starting: Starting = { ...common, phase: 'starting', prior: null, target: 0, asked: 0, again: false, attempt: 0 };
const feed: Pulling = { ...pulling, kind: 'feed' };

describe('keys', () => {
  it('at or below the cursor are ignored', () => {
    for (const seq of [0, 9, 10]) expect(stepLog(idle, { type: 'key', seq }).state).toBe(idle);
  });

  it('during a pull lead to one more pull that names the newest of them', () => {
    const heard = [15, 14, 20, 13, 20].reduce<LogState>((state, seq) => stepLog(state, { type: 'key', seq }).state, pulling);
    expect(line({ state: heard, effects: [] })).toBe('pulling 10>20 min 12');
    expect(line(stepLog(heard, page(seqs(11, 12))))).toBe('pulling 12>20 min 20 | apply 11,12 to 12 | pull after 12 min 20');
  });

  it('that a page already covers lead to none', () => {
    const heard = stepLog(pulling, { type: 'key', seq: 14 }).state;
    expect(line(stepLog(heard, page(seqs(11, 12, 13, 14))))).toBe('idle 14 | apply 11,12,13,14 to 14');
  });

  it('at or below the end of a log that was left do not start it', () => {
    const gone: LogState = { ...common, phase: 'gone', floor: 20 };
    expect(stepLog(gone, { type: 'key', seq: 20 }).state).toBe(gone);
    expect(stepLog(gone, { type: 'head', seq: 20, start: true }).state).toBe(gone);
    expect(line(stepLog(gone, { type: 'head', seq: 21, start: true }))).toBe('starting >21 min 21 | pull end min 21');
  });

  it('wait with a log that waits, and wake one that was refused only by news', () => {
    const stalled: LogState = { ...common, phase: 'stalled', cursor: null, prior: null, target: 12 };
    expect(stepLog(stalled, { type: 'key', seq: 12 }).state).toBe(stalled);
    expect(line(stepLog(stalled, { type: 'key', seq: 13 }))).toBe('starting >13 min 13 | pull end min 13');
  });
});

describe('pages', () => {
  it.each<[string, LogEvent, string]>([
    ['a hole before it', page(seqs(12, 13)), 'gap'],
    ['a hole inside', page(seqs(11, 13)), 'gap'],
    ['a repetition inside', page(seqs(11, 11, 12)), 'gap'],
    ['another order', page(seqs(12, 11)), 'gap'],
    ['what lies before the cursor', page(seqs(10, 11, 12)), 'gap'],
    ['nothing, although a minimum was named', page([], { head: 10 }), 'short'],
    ['nothing, although its head is beyond', page([], { head: 12 }), 'short'],
    ['nothing and the word that more follows', page([], { head: 12, more: true }), 'short'],
  ])('with %s are thrown away whole and asked for again', (_what, event, kind) => {
    expect(line(stepLog(pulling, event))).toBe(`waiting 10>12 #4 | ${kind} | wait 4`);
  });

  it('that are empty because other logs filled the answer are asked for again at once', () => {
    expect(line(stepLog(pulling, page([], { head: 12, more: true, crowded: true })))).toBe('pulling 10>12 min 12 | pull after 10 min 12');
  });

  it('that stop short of their head are continued', () => {
    expect(line(stepLog(pulling, page(seqs(11), { head: 40, more: true })))).toBe(
      'pulling 11>40 min 40 | apply 11 to 11 | pull after 11 min 40',
    );
    expect(line(stepLog(pulling, page(seqs(11, 12), { head: 40 })))).toBe(
      'pulling 12>40 min 40 | apply 11,12 to 12 | pull after 12 min 40',
    );
  });

  it('without anything new end a sync', () => {
    expect(line(stepLog({ ...pulling, target: 0, asked: 0 }, page([], { head: 10 })))).toBe('idle 10');
  });

  it('that cannot hold what was heard after they left are no fault', () => {
    const late = { ...pulling, target: 15, asked: 0 };
    expect(line(stepLog(late, page([], { head: 10 })))).toBe('pulling 10>15 min 15 | pull after 10 min 15');
  });

  it('after a drop answer nothing', () => {
    const restarted = stepLog(pulling, { type: 'epochChanged' }).state;
    const again = stepLog(restarted, { type: 'open' }).state;
    expect(stepLog(again, page(seqs(11, 12))).state).toBe(again);
    expect(stepLog(again, { type: 'seqAhead', ticket: 7 }).state).toBe(again);
    expect(stepLog(again, { type: 'notFound', ticket: 7 }).state).toBe(again);
    expect(stepLog(again, { type: 'failed', ticket: 7, retryable: false }).state).toBe(again);
  });

  it('overlapping an own send apply the rest only', () => {
    const ahead = { ...pulling, cursor: 11 };
    expect(line(stepLog(ahead, page(seqs(11, 12))))).toBe('idle 12 | apply 12 to 12');
    expect(line(stepLog({ ...ahead, target: 0, asked: 0 }, page([], { head: 10 })))).toBe('idle 11');
  });

  it('from a visible start above the cursor start a new range at the end', () => {
    expect(line(stepLog(pulling, page(seqs(31, 32), { oldestSeq: 31 })))).toBe('starting >32 min 32 kept 10 | pull end min 32');
  });

  it('after a sync that came during the pull lead to another pull', () => {
    const again = stepLog(pulling, { type: 'sync' }).state;
    expect(line(stepLog(again, page(seqs(11, 12))))).toBe('pulling 12>12 min 0 | apply 11,12 to 12 | pull after 12 min 0');
  });
});

describe('starting from the end', () => {
  it.each<[string, LogEvent, string]>([
    ['the newest page', page(seqs(51, 52), { head: 52, more: true }), 'idle 52 | apply 51,52 to 52 new range'],
    ['an empty log', page([]), 'idle 0 | apply  to 0 new range'],
    ['nothing visible yet', page([], { head: 9 }), 'idle 9 | apply  to 9 new range'],
    ['a head beyond the page', page(seqs(51), { head: 60 }), 'pulling 51>60 min 60 | apply 51 to 51 new range | pull after 51 min 60'],
    ['a page with a hole', page(seqs(51, 53)), 'waiting null>0 #1 | gap | wait 1'],
  ])('%s', (_what, event, expected) => {
    expect(line(stepLog(starting, event))).toBe(expected);
  });

  it('refuses a page that does not reach what was asked for', () => {
    expect(line(stepLog({ ...starting, target: 60, asked: 60 }, page(seqs(51, 52))))).toBe('waiting null>60 #1 | short | wait 1');
  });

  it('keeps the old range, and continues it where the newest page reaches it', () => {
    const kept = { ...starting, prior: 50 };
    expect(line(stepLog(kept, page(seqs(60, 61))))).toBe('idle 61 | apply 60,61 to 61 new range');
    expect(line(stepLog(kept, page(seqs(49, 50, 51, 52))))).toBe('idle 52 | apply 51,52 to 52');
    expect(line(stepLog(kept, page(seqs(51, 52))))).toBe('idle 52 | apply 51,52 to 52');
    expect(line(stepLog(kept, page(seqs(40, 41))))).toBe('waiting null>0 #1 kept 50 | short | wait 1');
  });

  it.each<[string, number[], string]>([
    ['up to the snapshot are the new range', [98, 99], 'idle 99 | apply 98,99 to 99 new range'],
    ['that end elsewhere are not trusted', [97, 98], 'starting >99 min 99 kept 10 | pull end min 99'],
    ['with a hole are not trusted', [96, 99], 'starting >99 min 99 kept 10 | pull end min 99'],
  ])('too far behind, newest entries %s', (_what, items, expected) => {
    expect(line(stepLog(pulling, { type: 'tooLong', ticket: 7, snapshotSeq: 99, items: seqs(...items) }))).toBe(expected);
  });

  it('too far behind, what was heard beyond the snapshot is pulled', () => {
    const heard = stepLog(pulling, { type: 'key', seq: 120 }).state;
    const step = stepLog(heard, { type: 'tooLong', ticket: 7, snapshotSeq: 99, items: seqs(98, 99) });
    expect(line(step)).toBe('pulling 99>120 min 120 | apply 98,99 to 99 new range | pull after 99 min 120');
  });

  it('remembers the old range over a failure', () => {
    const waiting = stepLog({ ...starting, prior: 50 }, { type: 'failed', ticket: 7, retryable: true, afterMs: 900 });
    expect(line(waiting)).toBe('waiting null>0 #1 kept 50 | wait 1 from 900');
    expect(line(stepLog(waiting.state, { type: 'retry', ticket: 8 }))).toBe('starting >0 min 0 kept 50 | pull end min 0');
  });
});

describe('failures', () => {
  it('count up until a page comes, and a stale timer repeats nothing', () => {
    const waiting = stepLog(pulling, { type: 'failed', ticket: 7, retryable: true }).state;
    expect(line({ state: waiting, effects: [] })).toBe('waiting 10>12 #4');
    expect(stepLog(waiting, { type: 'retry', ticket: 7 }).state).toBe(waiting);
    const retried = stepLog(waiting, { type: 'retry', ticket: 8 }).state;
    expect(retried).toMatchObject({ phase: 'pulling', attempt: 4, ticket: 9 });
    const more = stepLog(retried, page(seqs(11, 12), { ticket: 9, more: true })).state;
    expect(more).toMatchObject({ phase: 'pulling', attempt: 0 });
  });

  it('that are final stop the log without a timer', () => {
    expect(line(stepLog(pulling, { type: 'failed', ticket: 7, retryable: false }))).toBe('stalled 10>12');
  });

  it('a log that is ahead of its server starts over, naming no seq', () => {
    expect(line(stepLog({ ...pulling, asked: 0 }, { type: 'seqAhead', ticket: 7 }))).toBe(
      'starting >0 min 0 | drop seq_ahead | pull end min 0',
    );
    expect(line(stepLog(starting, { type: 'seqAhead', ticket: 7 }))).toBe('waiting null>0 #1 | wait 1');
  });
});

describe('membership', () => {
  it('a key heard during a pull that finds nothing may tell of a rejoin: look once more', () => {
    const heard = stepLog(pulling, { type: 'key', seq: 30 }).state;
    const again = stepLog(heard, { type: 'notFound', ticket: 7 });
    expect(line(again)).toBe('starting >30 min 30 | drop left | pull end min 30');
    expect(line(stepLog(again.state, { type: 'notFound', ticket: again.state.ticket }))).toBe('gone 0 | drop left');
  });

  it('a leave that lies below what was heard since is old news', () => {
    for (const state of [idle, pulling] as const) expect(stepLog(state, { type: 'left', leftSeq: 9 }).state).toBe(state);
    expect(stepLog(pulling, { type: 'left', leftSeq: 11 }).state).toBe(pulling);
    const gone: LogState = { ...common, phase: 'gone', floor: 20 };
    expect(stepLog(gone, { type: 'left', leftSeq: 20 }).state).toBe(gone);
  });
});

describe('own sends', () => {
  const sent = { type: 'sent', seq: 11, asSent: true, item: { seq: 11 }, life: 1 } as const;
  it('are keys unless they are the next entry, unaltered, of this life of the log', () => {
    const asKey = 'pulling 10>11 min 11 | pull after 10 min 11';
    expect(line(stepLog(idle, { ...sent, asSent: false }))).toBe(asKey);
    expect(line(stepLog(idle, { ...sent, life: 0 }))).toBe(asKey);
    expect(line(stepLog(idle, { ...sent, seq: 12 }))).toBe('pulling 10>12 min 12 | pull after 10 min 12');
    expect(stepLog(idle, { ...sent, seq: 10 }).state).toBe(idle);
  });
});

describe('the feed', () => {
  it('is read from its beginning, and again after a drop', () => {
    expect(initialLog('feed')).toMatchObject({ phase: 'idle', cursor: 0 });
    expect(line(stepLog(feed, { type: 'epochChanged' }))).toBe('idle 0 | drop epoch');
    expect(line(stepLog(feed, { type: 'seqAhead', ticket: 7 }))).toBe('pulling 0>0 min 0 | drop seq_ahead | pull after 0 min 0');
  });

  it('has holes where a newer version took the place of an older one', () => {
    expect(line(stepLog(feed, page(seqs(12, 15), { head: 17 })))).toBe('idle 17 | apply 12,15 to 17');
    expect(line(stepLog(feed, page(seqs(12, 15), { head: 17, more: true })))).toBe(
      'pulling 15>17 min 17 | apply 12,15 to 15 | pull after 15 min 17',
    );
    expect(line(stepLog(feed, page(seqs(15, 12), { head: 17 })))).toBe('waiting 10>12 #4 | gap | wait 4');
  });

  it('is nobody else to leave, and has no end to start from', () => {
    expect(stepLog(feed, { type: 'left', leftSeq: 99 }).state).toBe(feed);
    expect(line(stepLog(feed, { type: 'notFound', ticket: 7 }))).toBe('stalled 10>12');
    expect(line(stepLog(feed, { type: 'tooLong', ticket: 7, snapshotSeq: 99, items: [] }))).toBe('waiting 10>12 #4 | wait 4');
  });
});
