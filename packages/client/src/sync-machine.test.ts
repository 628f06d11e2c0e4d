import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FULL_SYNC_EVERY_MS,
  initialSync,
  type SyncEffect,
  type SyncEvent,
  type SyncState,
  type SyncStep,
  stepSync,
} from './sync-machine.ts';

type Phase = SyncState['round']['phase'];

const since = '2026-11-21T08:00:00.000Z';
const work = { page: null, startedAt: null, starts: 2, attempt: 0 };
const common = { epoch: 3, since, ticket: 7, startLogs: 2, feedRead: true };

const states: Record<Phase, SyncState> = {
  idle: { ...common, round: { phase: 'idle' } },
  running: { ...common, round: { ...work, phase: 'running', again: false } },
  waiting: { ...common, round: { ...work, phase: 'waiting', attempt: 1 } },
};

const events: Record<SyncEvent['type'], SyncEvent> = {
  welcome: { type: 'welcome', resumed: false, epoch: 3 },
  offline: { type: 'offline' },
  resync: { type: 'resync' },
  foreground: { type: 'foreground' },
  due: { type: 'due' },
  epoch: { type: 'epoch', seen: 4, asked: 3 },
  heads: {
    type: 'heads',
    ticket: 7,
    items: [{ id: 'x', lastSeq: 9 }],
    nextCursor: null,
    serverTime: '2026-11-21T09:00:00.000Z',
    random: 0.5,
  },
  failed: { type: 'failed', ticket: 7, retryable: true, random: 0.5 },
  retry: { type: 'retry', ticket: 7 },
  feed: { type: 'feed', after: 5, complete: true, items: [{ subject: 'member/y', version: 6, state: { state: 'joined', joinedSeq: 4 } }] },
};

/** A step in one line: the round and the effects. `-`: nothing changed. */
function line({ state, effects }: SyncStep, before?: SyncState): string {
  if (state === before && effects.length === 0) return '-';
  const { round } = state;
  const rest = round.phase === 'running' && round.again ? ' again' : round.phase === 'waiting' ? ` #${round.attempt}` : '';
  return [round.phase + rest, ...effects.map(show)].join(' | ');
}

function show(effect: SyncEffect): string {
  switch (effect.type) {
    case 'heads':
      return `heads since ${effect.since === null ? 'ever' : effect.since.slice(11, 16)} page ${effect.page ?? 'first'}`;
    case 'log':
      return `${effect.conversationId} ${Object.values(effect.event).join(' ')}`;
    case 'schedule':
      return `due in ${effect.inMs / 60_000} min`;
    case 'wait':
      return `wait ${effect.attempt}`;
    case 'save':
      return `save ${effect.epoch} ${effect.since === null ? 'ever' : effect.since.slice(11, 16)}`;
    default:
      return effect.type;
  }
}

const round = 'running | syncLogs | heads since 08:00 page first';
const fresh = 'running | dropLogs | save 4 ever | syncLogs | heads since ever page first';

const table: Record<Phase, Record<SyncEvent['type'], string>> = {
  idle: {
    welcome: round,
    offline: '-',
    resync: round,
    foreground: round,
    due: round,
    epoch: fresh,
    heads: '-',
    failed: '-',
    retry: '-',
    feed: 'idle | y head 4 true',
  },
  running: {
    welcome: 'running again',
    offline: '-',
    resync: 'running again',
    foreground: 'running again',
    due: 'running again',
    epoch: fresh,
    heads: 'idle | x head 9 true | save 3 08:59 | due in 15 min',
    failed: 'waiting #1 | wait 1',
    retry: '-',
    feed: 'running | y head 4 true',
  },
  waiting: {
    welcome: round,
    offline: '-',
    resync: round,
    foreground: round,
    due: round,
    epoch: fresh,
    heads: '-',
    failed: '-',
    retry: 'running | heads since 08:00 page first',
    feed: 'waiting #1 | y head 4 true',
  },
};

const cells = Object.entries(table).flatMap(([phase, row]) =>
  Object.entries(row).map(([event, expected]) => ({ phase: phase as Phase, event: event as SyncEvent['type'], expected })),
);

describe('every event in every phase of a round', () => {
  it.each(cells)('$phase + $event: $expected', ({ phase, event, expected }) => {
    expect(line(stepSync(states[phase], events[event]), states[phase])).toBe(expected);
  });
});

describe('when to sync', () => {
  it('a resumed session needs none, unless none was ever finished', () => {
    const welcome: SyncEvent = { type: 'welcome', resumed: true, epoch: 3 };
    expect(line(stepSync(states.idle, welcome), states.idle)).toBe('-');
    expect(line(stepSync({ ...states.idle, since: null }, welcome))).toBe('running | syncLogs | heads since ever page first');
  });

  it('a device that never synced does not wait for a socket', () => {
    expect(line(stepSync({ ...states.idle, since: null }, { type: 'offline' }))).toBe('running | syncLogs | heads since ever page first');
  });

  it('a sync asked for during a sync follows it at once', () => {
    const again = stepSync(states.running, events.resync).state;
    expect(line(stepSync(again, events.heads))).toBe(
      'running | x head 9 true | save 3 08:59 | due in 15 min | syncLogs | heads since 08:59 page first',
    );
  });

  it('one asked for before a failure is part of its repetition', () => {
    const again = stepSync(states.running, events.resync).state;
    expect(line(stepSync(again, events.failed))).toBe('waiting #1 | wait 1 | syncLogs');
  });

  it('the next one is due after 15 minutes, 10 % earlier or later', () => {
    const inMs = [0, 0.999_999].map((random) => {
      const { effects } = stepSync(states.running, { ...events.heads, random } as SyncEvent);
      return effects.flatMap((effect) => (effect.type === 'schedule' ? [effect.inMs] : []))[0];
    });
    expect(inMs).toEqual([FULL_SYNC_EVERY_MS * 0.9, Math.round(FULL_SYNC_EVERY_MS * (0.9 + 0.2 * 0.999_999))]);
  });

  it('a refusal for good waits for the next one', () => {
    expect(line(stepSync(states.running, { ...events.failed, retryable: false } as SyncEvent))).toBe('idle | due in 15 min');
  });
});

describe('the list of conversations', () => {
  const heads = (count: number, nextCursor: string | null, serverTime: string): SyncEvent => ({
    type: 'heads',
    ticket: 7,
    items: Array.from({ length: count }, (_, index) => ({ id: `h${index}`, lastSeq: index })),
    nextCursor,
    serverTime,
    random: 0,
  });

  it('is read to its end before `since` moves, to a minute before the first page was made', () => {
    const first = stepSync(states.running, heads(1, 'p2', '2026-11-21T09:00:00.000Z'));
    expect(line(first)).toBe('running | h0 head 0 true | heads since 08:00 page p2');
    const last = stepSync(first.state, { ...heads(2, null, '2026-11-21T09:30:00.000Z'), ticket: first.state.ticket } as SyncEvent);
    expect(line(last)).toBe('idle | h0 head 0 true | h1 head 1 false | save 3 08:59 | due in 13.5 min');
  });

  it('starts no more conversations than it may, the newest', () => {
    expect(line(stepSync(states.running, heads(3, 'p2', '2026-11-21T09:00:00.000Z')))).toBe(
      'running | h0 head 0 true | h1 head 1 true | h2 head 2 false | heads since 08:00 page p2',
    );
  });
});

describe('the epoch', () => {
  it('is learned from the first answer', () => {
    const unknown = initialSync({ epoch: null, since: null }, 2);
    expect(line(stepSync(unknown, { type: 'epoch', seen: 3, asked: null }))).toBe('idle | save 3 ever');
  });

  it('of an answer that left before it changed is ignored', () => {
    expect(line(stepSync(states.idle, { type: 'epoch', seen: 2, asked: 2 }), states.idle)).toBe('-');
    expect(line(stepSync(states.idle, { type: 'epoch', seen: 3, asked: 2 }), states.idle)).toBe('-');
  });

  it('that a welcome brings starts one round, not two', () => {
    expect(line(stepSync(states.idle, { type: 'welcome', resumed: true, epoch: 4 }))).toBe(fresh);
    expect(line(stepSync(states.running, { type: 'welcome', resumed: false, epoch: 4 }))).toBe(fresh);
  });
});

describe('the own feed', () => {
  const joined = { subject: 'member/y', version: 6, state: { state: 'joined', joinedSeq: 4 } };
  const left = { subject: 'member/z', version: 7, state: { state: 'left', joinedSeq: 4, leftSeq: 8 } };
  const other = [
    { subject: 'read/y', version: 8, state: { readSeq: 3 } },
    { subject: 'pref/y', version: 9, state: { hiddenSeq: 3 } },
  ];

  it('tells of joining and leaving', () => {
    expect(line(stepSync(states.idle, { type: 'feed', after: 5, complete: true, items: [joined, left, ...other] }))).toBe(
      'idle | y head 4 true | z left 8',
    );
  });

  it('lets a pull find out where a leave has no position', () => {
    const bare = { ...left, state: { state: 'left' } };
    expect(line(stepSync(states.idle, { type: 'feed', after: 5, complete: true, items: [bare] }))).toBe('idle | z sync');
  });

  it('read from its beginning is no news, over all its pages', () => {
    const first = stepSync(states.idle, { type: 'feed', after: 0, complete: false, items: [joined] });
    expect(line(first)).toBe('idle | y head 4 false');
    const second = stepSync(first.state, { type: 'feed', after: 6, complete: true, items: [joined] });
    expect(line(second)).toBe('idle | y head 4 false');
    expect(line(stepSync(second.state, { type: 'feed', after: 7, complete: true, items: [joined] }))).toBe('idle | y head 4 true');
  });
});

describe('whatever the order of requests and failures', () => {
  type Input = 'resync' | 'page' | 'last' | 'fail' | 'retry';
  it('a sync that is asked for is followed by one that starts later and ends', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Input>('resync', 'page', 'last', 'fail', 'retry'), { maxLength: 50 }), (inputs) => {
        let state: SyncState = initialSync({ epoch: 1, since: null }, 5);
        let clock = 0;
        let asked = 0;
        let started = 0;
        let finished = 0;
        const put = (event: SyncEvent) => {
          const step = stepSync(state, event);
          // A round that is finished covers what was asked for before it started.
          for (const effect of step.effects) {
            if (effect.type === 'save') finished = started;
            if (effect.type === 'syncLogs' || (effect.type === 'heads' && effect.page === null)) started = ++clock;
          }
          state = step.state;
        };
        const answer = (nextCursor: string | null) =>
          put({ type: 'heads', ticket: state.ticket, items: [], nextCursor, serverTime: since, random: 0 });
        const one: Record<Input, () => void> = {
          resync: () => {
            asked = ++clock;
            put({ type: 'resync' });
          },
          page: () => answer('next'),
          last: () => answer(null),
          fail: () => put({ type: 'failed', ticket: state.ticket, retryable: true, random: 0 }),
          retry: () => put({ type: 'retry', ticket: state.ticket }),
        };
        for (const input of inputs) one[input]();
        for (let rounds = 0; state.round.phase !== 'idle'; rounds++) {
          expect(rounds).toBeLessThan(4);
          one[state.round.phase === 'waiting' ? 'retry' : 'last']();
        }
        if (asked > 0) expect(finished).toBeGreaterThan(asked);
      }),
    );
  });
});
