import { describe, expect, it } from 'vitest';
import { line, page, seqs } from './fixtures/log.fixture.ts';
import { stepLog } from './log-machine.ts';
import type { LogEvent, LogPhase, LogState } from './log-state.ts';

const common = { kind: 'entries', life: 1, ticket: 7 } as const;

/** One state of each phase: cursor 10, or none, with 12 heard of. */
const states: Record<LogPhase, LogState> = {
  unknown: { ...common, phase: 'unknown' },
  gone: { ...common, phase: 'gone', floor: 10 },
  idle: { ...common, phase: 'idle', cursor: 10 },
  starting: { ...common, phase: 'starting', prior: null, target: 12, asked: 12, again: false, attempt: 0 },
  pulling: { ...common, phase: 'pulling', cursor: 10, after: 10, target: 12, asked: 12, again: false, attempt: 0 },
  waiting: { ...common, phase: 'waiting', cursor: 10, prior: null, target: 12, attempt: 1 },
  stalled: { ...common, phase: 'stalled', cursor: 10, prior: null, target: 12 },
};

/** One event of each type, answering ticket 7 where it answers. */
const events: Record<LogEvent['type'], LogEvent> = {
  key: { type: 'key', seq: 13 },
  head: { type: 'head', seq: 13, start: false },
  open: { type: 'open' },
  sync: { type: 'sync' },
  page: page(seqs(11, 12)),
  failed: { type: 'failed', ticket: 7, retryable: true },
  tooLong: { type: 'tooLong', ticket: 7, snapshotSeq: 5_000, items: [] },
  seqAhead: { type: 'seqAhead', ticket: 7 },
  notFound: { type: 'notFound', ticket: 7 },
  retry: { type: 'retry', ticket: 7 },
  sent: { type: 'sent', seq: 11, asSent: true, item: { seq: 11 }, life: 1 },
  left: { type: 'left', leftSeq: 20 },
  epochChanged: { type: 'epochChanged' },
  reset: { type: 'reset' },
};

/** `-`: the very same state and no effect. */
const table: Record<LogPhase, Record<LogEvent['type'], string>> = {
  unknown: {
    key: 'starting >13 min 13 | pull end min 13',
    head: '-',
    open: 'starting >0 min 0 | pull end min 0',
    sync: '-',
    page: '-',
    failed: '-',
    tooLong: '-',
    seqAhead: '-',
    notFound: '-',
    retry: '-',
    sent: 'starting >11 min 11 | pull end min 11',
    left: 'gone 20',
    epochChanged: 'unknown',
    reset: 'unknown',
  },
  gone: {
    key: 'starting >13 min 13 | pull end min 13',
    head: '-',
    open: 'starting >0 min 0 | pull end min 0',
    sync: '-',
    page: '-',
    failed: '-',
    tooLong: '-',
    seqAhead: '-',
    notFound: '-',
    retry: '-',
    sent: 'starting >11 min 11 | pull end min 11',
    left: 'gone 20',
    epochChanged: 'unknown',
    reset: 'unknown',
  },
  idle: {
    key: 'pulling 10>13 min 13 | pull after 10 min 13',
    head: 'pulling 10>13 min 13 | pull after 10 min 13',
    open: '-',
    sync: 'pulling 10>0 min 0 | pull after 10 min 0',
    page: '-',
    failed: '-',
    tooLong: '-',
    seqAhead: '-',
    notFound: '-',
    retry: '-',
    sent: 'idle 11 | apply 11 to 11',
    left: 'gone 20 | drop left',
    epochChanged: 'unknown | drop epoch',
    reset: 'unknown | drop reset',
  },
  starting: {
    key: 'starting >13 min 12',
    head: 'starting >13 min 12',
    open: '-',
    sync: 'starting >12 min 12 again',
    page: 'idle 12 | apply 11,12 to 12 new range',
    failed: 'waiting null>12 #1 | wait 1',
    tooLong: 'waiting null>12 #1 | wait 1',
    seqAhead: 'starting >0 min 0 | drop seq_ahead | pull end min 0',
    notFound: 'gone 0 | drop left',
    retry: '-',
    sent: '-',
    left: 'gone 20 | drop left',
    epochChanged: 'unknown | drop epoch',
    reset: 'unknown | drop reset',
  },
  pulling: {
    key: 'pulling 10>13 min 12',
    head: 'pulling 10>13 min 12',
    open: '-',
    sync: 'pulling 10>12 min 12 again',
    page: 'idle 12 | apply 11,12 to 12',
    failed: 'waiting 10>12 #1 | wait 1',
    tooLong: 'starting >5000 min 5000 kept 10 | pull end min 5000',
    seqAhead: 'starting >0 min 0 | drop seq_ahead | pull end min 0',
    notFound: 'gone 10 | drop left',
    retry: '-',
    sent: 'pulling 11>12 min 12 | apply 11 to 11',
    left: 'gone 20 | drop left',
    epochChanged: 'unknown | drop epoch',
    reset: 'unknown | drop reset',
  },
  waiting: {
    key: 'waiting 10>13 #1',
    head: 'waiting 10>13 #1',
    open: '-',
    sync: 'pulling 10>12 min 12 | pull after 10 min 12',
    page: '-',
    failed: '-',
    tooLong: '-',
    seqAhead: '-',
    notFound: '-',
    retry: 'pulling 10>12 min 12 | pull after 10 min 12',
    sent: 'waiting 11>12 #1 | apply 11 to 11',
    left: 'gone 20 | drop left',
    epochChanged: 'unknown | drop epoch',
    reset: 'unknown | drop reset',
  },
  stalled: {
    key: 'pulling 10>13 min 13 | pull after 10 min 13',
    head: 'pulling 10>13 min 13 | pull after 10 min 13',
    open: 'pulling 10>12 min 12 | pull after 10 min 12',
    sync: 'pulling 10>12 min 12 | pull after 10 min 12',
    page: '-',
    failed: '-',
    tooLong: '-',
    seqAhead: '-',
    notFound: '-',
    retry: '-',
    sent: 'stalled 11>12 | apply 11 to 11',
    left: 'gone 20 | drop left',
    epochChanged: 'unknown | drop epoch',
    reset: 'unknown | drop reset',
  },
};

const cells = Object.entries(table).flatMap(([phase, row]) =>
  Object.entries(row).map(([event, expected]) => ({ phase: phase as LogPhase, event: event as LogEvent['type'], expected })),
);

describe('every event in every state', () => {
  it.each(cells)('$phase + $event: $expected', ({ phase, event, expected }) => {
    const before = states[phase];
    const step = stepLog(before, events[event]);
    if (expected === '-') {
      expect(step.state).toBe(before);
      expect(step.effects).toEqual([]);
    } else {
      expect(line(step)).toBe(expected);
    }
  });

  it.each(cells)('$phase + $event: leaves its input as it was', ({ phase, event }) => {
    const before = structuredClone(states[phase]);
    stepLog(states[phase], events[event]);
    expect(states[phase]).toEqual(before);
  });
});
