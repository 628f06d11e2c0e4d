import { pageAfter, pageFromEnd } from './log-page.ts';
import type { DropReason, Idle, LogEffect, LogEvent, LogState, LogStep, Positioned, Pulling, Starting, Unknown } from './log-state.ts';

/**
 * The gap rule of one log, as a pure function: no event, however late, doubled, reordered or lost, makes it apply an entry twice,
 * out of order or with a hole before it. The driver carries out the effects and has no rule of its own.
 */
export function stepLog<T extends Positioned>(state: LogState, event: LogEvent<T>): LogStep<T> {
  switch (event.type) {
    case 'key':
      return heard(state, event.seq, true);
    case 'head':
      return heard(state, event.seq, event.start);
    case 'open':
      return state.phase === 'unknown' || state.phase === 'gone' || state.phase === 'stalled' ? pull(state, {}) : same(state);
    case 'sync':
      return onSync(state);
    case 'page':
      if (!answers(state, event)) return same(state);
      return settle(state, state.phase === 'starting' ? pageFromEnd(state, event) : pageAfter(state, event));
    case 'failed':
      return answers(state, event) ? failed(state, event.retryable, event.afterMs) : same(state);
    case 'tooLong':
      return answers(state, event) ? onTooLong(state, event) : same(state);
    case 'seqAhead':
      return answers(state, event) ? onSeqAhead(state) : same(state);
    case 'notFound':
      return answers(state, event) ? onNotFound(state) : same(state);
    case 'retry':
      return state.phase === 'waiting' && event.ticket === state.ticket ? pull(state, {}) : same(state);
    case 'sent':
      return onSent(state, event);
    case 'left':
      return onLeft(state, event.leftSeq);
    case 'epochChanged':
      return dropped(state, 'epoch');
    case 'reset':
      return dropped(state, 'reset');
  }
}

/** Whether the event answers the pull that is in flight, and not one of before a drop. */
function answers(state: LogState, event: { readonly ticket: number }): state is Starting | Pulling {
  return (state.phase === 'starting' || state.phase === 'pulling') && event.ticket === state.ticket;
}

function same<T extends Positioned>(state: LogState): LogStep<T> {
  return { state, effects: [] };
}

interface PullOptions {
  readonly target?: number;
  readonly attempt?: number;
  readonly prior?: number | null;
  readonly cursor?: number | null;
}

/** Leaves for the next page: after the cursor, or from the end where there is none. Every pull has its own ticket. */
function pull<T extends Positioned>(state: LogState, options: PullOptions): LogStep<T> {
  const ticket = state.ticket + 1;
  const common = { kind: state.kind, life: state.life, ticket };
  const target = options.target ?? ('target' in state ? state.target : 0);
  const attempt = options.attempt ?? ('attempt' in state ? state.attempt : 0);
  const cursor = options.cursor !== undefined ? options.cursor : 'cursor' in state ? state.cursor : null;
  const prior = options.prior !== undefined ? options.prior : 'prior' in state ? state.prior : null;
  if (cursor === null) {
    const next: Starting = { ...common, phase: 'starting', prior, target, asked: target, again: false, attempt };
    return { state: next, effects: [{ type: 'pull', ticket, after: null, min: target }] };
  }
  const asked = target > cursor ? target : 0;
  const next: Pulling = { ...common, phase: 'pulling', cursor, after: cursor, target, asked, again: false, attempt };
  return { state: next, effects: [{ type: 'pull', ticket, after: cursor, min: asked }] };
}

/** The log has reached `seq`, from whatever source. While a pull is in flight or waited for, this only raises the target. */
function heard<T extends Positioned>(state: LogState, seq: number, start: boolean): LogStep<T> {
  switch (state.phase) {
    case 'unknown':
      return start ? pull(state, { target: seq }) : same(state);
    case 'gone':
      return start && seq > state.floor ? pull(state, { target: seq }) : same(state);
    case 'idle':
      return seq > state.cursor ? pull(state, { target: seq }) : same(state);
    case 'stalled': {
      const known = Math.max(state.cursor ?? state.prior ?? 0, state.target);
      return seq > known ? pull(state, { target: seq }) : same(state);
    }
    case 'starting':
    case 'pulling':
    case 'waiting':
      return seq > state.target ? { state: { ...state, target: seq }, effects: [] } : same(state);
  }
}

function onSync<T extends Positioned>(state: LogState): LogStep<T> {
  switch (state.phase) {
    case 'unknown':
    case 'gone':
      return same(state);
    case 'idle':
    case 'waiting':
    case 'stalled':
      return pull(state, {});
    case 'starting':
    case 'pulling':
      return state.again ? same(state) : { state: { ...state, again: true }, effects: [] };
  }
}

/** What a page comes to: a cursor with what was applied on the way, or a reason to distrust it. */
function settle<T extends Positioned>(state: Starting | Pulling, page: ReturnType<typeof pageAfter<T>>): LogStep<T> {
  switch (page.type) {
    case 'truncated':
      return startAnew(state, page.head);
    case 'violation': {
      const wait = failed<T>(state, true, undefined);
      return { state: wait.state, effects: [{ type: 'violation', kind: page.kind }, ...wait.effects] };
    }
    case 'moved': {
      const { cursor, items, newRange } = page;
      const target = Math.max(state.target, page.head);
      const before = state.phase === 'pulling' ? state.cursor : null;
      const applied: LogEffect<T>[] = cursor === before ? [] : [{ type: 'apply', items, cursor, newRange }];
      if (page.more || state.again || target > cursor) {
        const next = pull<T>(state, { cursor, target, attempt: 0, prior: null });
        return { state: next.state, effects: [...applied, ...next.effects] };
      }
      return { state: idle(state, cursor), effects: applied };
    }
  }
}

function idle(state: LogState, cursor: number): Idle {
  return { kind: state.kind, life: state.life, ticket: state.ticket, phase: 'idle', cursor };
}

function failed<T extends Positioned>(state: Starting | Pulling, retryable: boolean, afterMs: number | undefined): LogStep<T> {
  const common = { kind: state.kind, life: state.life, target: state.target, ...held(state) };
  if (!retryable) return { state: { ...common, ticket: state.ticket, phase: 'stalled' }, effects: [] };
  const ticket = state.ticket + 1;
  const attempt = state.attempt + 1;
  return {
    state: { ...common, ticket, phase: 'waiting', attempt },
    effects: [{ type: 'wait', ticket, attempt, ...(afterMs === undefined ? {} : { afterMs }) }],
  };
}

function held(state: Starting | Pulling): { cursor: number | null; prior: number | null } {
  return state.phase === 'pulling' ? { cursor: state.cursor, prior: null } : { cursor: null, prior: state.prior };
}

/** The cursor cannot be continued: its range stays as it is, a new one begins at the end, which the answer may have brought along. */
function onTooLong<T extends Positioned>(state: Starting | Pulling, event: Extract<LogEvent<T>, { type: 'tooLong' }>): LogStep<T> {
  const { snapshotSeq, items } = event;
  const end = items.at(-1)?.seq;
  if (state.kind === 'feed' || state.phase === 'starting' || end !== snapshotSeq) return startAnew(state, snapshotSeq);
  const { kind, life, ticket, target, asked, again, attempt, cursor } = state;
  const anew: Starting = { kind, life, ticket, target, asked, again, attempt, phase: 'starting', prior: cursor };
  const page = pageFromEnd(anew, { items, head: snapshotSeq });
  return page.type === 'moved' ? settle(anew, page) : startAnew(state, snapshotSeq);
}

function startAnew<T extends Positioned>(state: Starting | Pulling, snapshotSeq: number): LogStep<T> {
  if (state.kind === 'feed' || state.phase === 'starting') return failed(state, true, undefined);
  return pull(state, { cursor: null, prior: state.cursor, target: Math.max(state.target, snapshotSeq), attempt: 0 });
}

/**
 * The server has never reached the seq that was named. Whatever produced it, this log is not the one the cursor was made on: start
 * again from its end, naming no seq (a pull's floor is the committed head, so no committed entry is missed by that).
 */
function onSeqAhead<T extends Positioned>(state: Starting | Pulling): LogStep<T> {
  const named = Math.max(state.asked, state.phase === 'pulling' ? state.after : 0);
  if (named === 0) return failed(state, true, undefined);
  const fresh = dropped<T>(state, 'seq_ahead');
  const next = pull<T>(fresh.state, {});
  return { state: next.state, effects: [...fresh.effects, ...next.effects] };
}

/** Not visible. Keys heard since the pull left, or a sync, may tell of a rejoin: look once more before giving up. */
function onNotFound<T extends Positioned>(state: Starting | Pulling): LogStep<T> {
  if (state.kind === 'feed') return failed(state, false, undefined);
  const gone = leave<T>(state, held(state).cursor ?? held(state).prior ?? 0);
  if (state.target <= state.asked && !state.again) return gone;
  const next = pull<T>(gone.state, { target: state.target });
  return { state: next.state, effects: [...gone.effects, ...next.effects] };
}

/** A rejoin that was already heard of or pulled lies above `leftSeq`: then the message is old news. */
function onLeft<T extends Positioned>(state: LogState, leftSeq: number): LogStep<T> {
  if (state.kind === 'feed') return same(state);
  if (state.phase === 'gone') return leftSeq > state.floor ? { state: { ...state, floor: leftSeq }, effects: [] } : same(state);
  const cursor = 'cursor' in state ? state.cursor : null;
  const target = 'target' in state ? state.target : 0;
  if (Math.max(cursor ?? 0, target) > leftSeq) return same(state);
  const gone = leave<T>(state, leftSeq);
  return state.phase === 'unknown' ? { state: gone.state, effects: [] } : gone;
}

/** The log is not this user's any more; nothing of it is kept. */
function leave<T extends Positioned>(state: LogState, floor: number): LogStep<T> {
  const common = { kind: state.kind, life: state.life + 1, ticket: state.ticket + 1 };
  return { state: { ...common, phase: 'gone', floor }, effects: [{ type: 'drop', reason: 'left' }] };
}

/** Forgets a log; even one of which nothing is held begins a new life, since a send may be on its way. A feed is ready to be read from its beginning, a conversation is unknown until it is heard of. */
function dropped<T extends Positioned>(state: LogState, reason: DropReason): LogStep<T> {
  const holds = state.phase !== 'unknown' && state.phase !== 'gone';
  const common = { kind: state.kind, life: state.life + 1, ticket: state.ticket + 1 };
  const fresh: Unknown | Idle = state.kind === 'feed' ? { ...common, phase: 'idle', cursor: 0 } : { ...common, phase: 'unknown' };
  return { state: fresh, effects: holds ? [{ type: 'drop', reason }] : [] };
}

/** Only the very next seq, unaltered, in the life it was sent in, is as good as a pulled page; otherwise it is a key. */
function onSent<T extends Positioned>(state: LogState, event: Extract<LogEvent<T>, { type: 'sent' }>): LogStep<T> {
  const { seq, asSent, item, life } = event;
  const trusted = asSent && life === state.life && state.kind === 'entries';
  if (!trusted || !('cursor' in state) || state.cursor === null || seq !== state.cursor + 1) return heard(state, seq, true);
  return { state: { ...state, cursor: seq }, effects: [{ type: 'apply', items: [item], cursor: seq, newRange: false }] };
}
