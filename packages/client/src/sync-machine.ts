import type { FeedItem } from '@nudge/types';
import type { LogEvent } from './log-state.ts';

/** After this long without a full sync one is made, whatever was heard meanwhile: it bounds how long a lost key can matter. ms. */
export const FULL_SYNC_EVERY_MS = 15 * 60_000;
/** The list of conversations is asked for from this much before the server's time of the previous answer, ms. */
const SINCE_OVERLAP_MS = 60_000;

/**
 * A round asks every log with a cursor for what follows it and the list of conversations for what was active. It is over when the
 * list has no next page; only then may `since` move.
 */
type Round =
  | { readonly phase: 'idle' }
  | (RoundWork & {
      readonly phase: 'running' /** A sync was asked for meanwhile: the next round follows at once. */;
      readonly again: boolean;
    })
  | (RoundWork & { readonly phase: 'waiting' });

interface RoundWork {
  /** Page of the list that is asked for; `null` the first. */
  readonly page: string | null;
  /** Server time of the round's first page. */
  readonly startedAt: string | null;
  /** Conversations of the list that may still be started in this round. */
  readonly starts: number;
  /** Consecutive failures. */
  readonly attempt: number;
}

/** What concerns all logs together. */
export interface SyncState {
  /** Generation of the database all cursors belong to; `null` before the first answer. */
  readonly epoch: number | null;
  /** The list of conversations is known as of this server time; `null` before the first round ended. */
  readonly since: string | null;
  /** Number of the newest request or wait; others are stale. */
  readonly ticket: number;
  /** Conversations of the list, newest first, that a round starts without having heard a key of them. */
  readonly startLogs: number;
  /** The own feed was read to its end; before that, its items are the state of things and not news. */
  readonly feedRead: boolean;
  readonly round: Round;
}

/** A conversation of the list, as far as the rule needs it. */
export interface ListedHead {
  readonly id: string;
  readonly lastSeq: number;
}

export type SyncEvent =
  /** The socket is ready. `resumed`: no key was lost since it was ready last. */
  | { readonly type: 'welcome'; readonly resumed: boolean; readonly epoch: number }
  /** No socket could be had. Pulling needs none, so a device that never synced does not wait for one. */
  | { readonly type: 'offline' }
  /** Keys were lost (`resync`), the app came to the foreground, or the interval passed. */
  | { readonly type: 'resync' | 'foreground' | 'due' }
  /** An answer carries `seen`; `asked` was known when its request left. */
  | { readonly type: 'epoch'; readonly seen: number; readonly asked: number | null }
  /** A page of the list. `random` in [0, 1) spreads the next round. */
  | {
      readonly type: 'heads';
      readonly ticket: number;
      readonly items: readonly ListedHead[];
      readonly nextCursor: string | null;
      readonly serverTime: string;
      readonly random: number;
    }
  | { readonly type: 'failed'; readonly ticket: number; readonly retryable: boolean; readonly afterMs?: number; readonly random: number }
  | { readonly type: 'retry'; readonly ticket: number }
  /** Items of the own feed were applied that follow `after`. `complete`: they reach its end. */
  | { readonly type: 'feed'; readonly after: number; readonly complete: boolean; readonly items: readonly FeedItem[] };

export type SyncEffect =
  /** Send `sync` to every log. */
  | { readonly type: 'syncLogs' }
  /** Send `epochChanged` to every log. */
  | { readonly type: 'dropLogs' }
  /** Ask for a page of the list of conversations. */
  | { readonly type: 'heads'; readonly ticket: number; readonly since: string | null; readonly page: string | null }
  | { readonly type: 'log'; readonly conversationId: string; readonly event: LogEvent<never> }
  /** Send `due` in this many ms; replaces an earlier one. */
  | { readonly type: 'schedule'; readonly inMs: number }
  | { readonly type: 'wait'; readonly ticket: number; readonly attempt: number; readonly afterMs?: number }
  /** Store epoch and since. */
  | { readonly type: 'save'; readonly epoch: number | null; readonly since: string | null };

export interface SyncStep {
  readonly state: SyncState;
  readonly effects: readonly SyncEffect[];
}

/** The state of a device as it was stored. */
export function initialSync(stored: { epoch: number | null; since: string | null }, startLogs: number): SyncState {
  return { epoch: stored.epoch, since: stored.since, ticket: 0, startLogs, feedRead: true, round: { phase: 'idle' } };
}

/** When to sync everything, and what that comes to; pure like {@link stepLog}. */
export function stepSync(state: SyncState, event: SyncEvent): SyncStep {
  switch (event.type) {
    case 'welcome':
      return onWelcome(state, event.resumed, event.epoch);
    case 'offline':
      return state.since === null && state.round.phase === 'idle' ? startRound(state) : { state, effects: [] };
    case 'resync':
    case 'foreground':
    case 'due':
      return askRound(state);
    case 'epoch':
      return onEpoch(state, event.seen, event.asked);
    case 'heads':
      return state.round.phase === 'running' && event.ticket === state.ticket ? onHeads(state, state.round, event) : { state, effects: [] };
    case 'failed':
      return state.round.phase === 'running' && event.ticket === state.ticket
        ? onFailed(state, state.round, event)
        : { state, effects: [] };
    case 'retry':
      if (state.round.phase !== 'waiting' || event.ticket !== state.ticket) return { state, effects: [] };
      return askHeads(state, { ...state.round, phase: 'running', again: false });
    case 'feed':
      return onFeed(state, event);
  }
}

/** After a resume no key was lost; otherwise everything may have been. A new epoch brings its own round. */
function onWelcome(state: SyncState, resumed: boolean, epoch: number): SyncStep {
  const known = onEpoch(state, epoch, state.epoch);
  if (state.epoch !== null && known.state.epoch !== state.epoch) return known;
  if (resumed && state.since !== null) return known;
  const asked = askRound(known.state);
  return { state: asked.state, effects: [...known.effects, ...asked.effects] };
}

/** A sync asked for while one runs causes another one, because the one that runs may have looked too early. */
function askRound(state: SyncState): SyncStep {
  if (state.round.phase === 'running') return { state: { ...state, round: { ...state.round, again: true } }, effects: [] };
  return startRound(state);
}

function startRound(state: SyncState): SyncStep {
  const round = { phase: 'running', again: false, page: null, startedAt: null, starts: state.startLogs, attempt: 0 } as const;
  const asked = askHeads(state, round);
  return { state: asked.state, effects: [{ type: 'syncLogs' }, ...asked.effects] };
}

function askHeads(state: SyncState, round: Extract<Round, { phase: 'running' }>): SyncStep {
  const ticket = state.ticket + 1;
  return {
    state: { ...state, ticket, round },
    effects: [{ type: 'heads', ticket, since: state.since, page: round.page }],
  };
}

/** Another generation than the stored one: every cursor means something else now. Answers that left before the change are too late. */
function onEpoch(state: SyncState, seen: number, asked: number | null): SyncStep {
  if (seen === state.epoch) return { state, effects: [] };
  if (state.epoch === null) {
    const known = { ...state, epoch: seen };
    return { state: known, effects: [{ type: 'save', epoch: seen, since: state.since }] };
  }
  if (asked !== state.epoch) return { state, effects: [] };
  const fresh = startRound({ ...state, epoch: seen, since: null });
  return { state: fresh.state, effects: [{ type: 'dropLogs' }, { type: 'save', epoch: seen, since: null }, ...fresh.effects] };
}

function onHeads(state: SyncState, round: Extract<Round, { phase: 'running' }>, event: Extract<SyncEvent, { type: 'heads' }>): SyncStep {
  const logs: SyncEffect[] = event.items.map(({ id, lastSeq }, index) => ({
    type: 'log',
    conversationId: id,
    event: { type: 'head', seq: lastSeq, start: index < round.starts },
  }));
  const startedAt = round.startedAt ?? event.serverTime;
  if (event.nextCursor !== null) {
    const starts = Math.max(0, round.starts - event.items.length);
    const next = askHeads(state, { ...round, page: event.nextCursor, startedAt, starts, attempt: 0 });
    return { state: next.state, effects: [...logs, ...next.effects] };
  }
  const since = new Date(Date.parse(startedAt) - SINCE_OVERLAP_MS).toISOString();
  const done: SyncState = { ...state, since, round: { phase: 'idle' } };
  const effects: SyncEffect[] = [...logs, { type: 'save', epoch: state.epoch, since }, schedule(event.random)];
  if (!round.again) return { state: done, effects };
  const next = startRound(done);
  return { state: next.state, effects: [...effects, ...next.effects] };
}

function onFailed(state: SyncState, round: Extract<Round, { phase: 'running' }>, event: Extract<SyncEvent, { type: 'failed' }>): SyncStep {
  if (!event.retryable) return { state: { ...state, round: { phase: 'idle' } }, effects: [schedule(event.random)] };
  const ticket = state.ticket + 1;
  const attempt = round.attempt + 1;
  const { page, startedAt, starts } = round;
  // What was asked for meanwhile is answered by the retry only from its first page on.
  const work = round.again ? { page: null, startedAt: null, starts: state.startLogs } : { page, startedAt, starts };
  const wait: SyncEffect = { type: 'wait', ticket, attempt, ...(event.afterMs === undefined ? {} : { afterMs: event.afterMs }) };
  const again: SyncEffect[] = round.again ? [{ type: 'syncLogs' }] : [];
  return { state: { ...state, ticket, round: { ...work, phase: 'waiting', attempt } }, effects: [wait, ...again] };
}

/** 15 minutes, 10 % earlier or later, so that devices that synced together do not do so for ever. */
function schedule(random: number): SyncEffect {
  return { type: 'schedule', inMs: Math.round(FULL_SYNC_EVERY_MS * (0.9 + 0.2 * random)) };
}

/** Reading a feed from its beginning lists every membership there is: that starts no log, only news do. */
function onFeed(state: SyncState, { after, complete, items }: Extract<SyncEvent, { type: 'feed' }>): SyncStep {
  const news = after > 0 && state.feedRead;
  const feedRead = complete || news;
  return { state: feedRead === state.feedRead ? state : { ...state, feedRead }, effects: items.flatMap((item) => membership(item, news)) };
}

/** What the own feed says about a membership. */
function membership({ subject, state }: FeedItem, news: boolean): SyncEffect[] {
  if (!subject.startsWith('member/')) return [];
  const conversationId = subject.slice('member/'.length);
  if (state.state === 'left') {
    const leftSeq = position(state.leftSeq);
    // Without a position there is nothing to compare a rejoin with: let a pull find out.
    return [{ type: 'log', conversationId, event: leftSeq === 0 ? { type: 'sync' } : { type: 'left', leftSeq } }];
  }
  return [{ type: 'log', conversationId, event: { type: 'head', seq: position(state.joinedSeq), start: news } }];
}

function position(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
