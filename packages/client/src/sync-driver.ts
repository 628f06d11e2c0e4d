import type { Entry, FeedItem, Head, LogName, SyncAnswer } from '@nudge/types';
import { type Backoff, backoffMs, RECONNECT_BACKOFF, REQUEST_BACKOFF } from './backoff.ts';
import type { Clock } from './clock.ts';
import { asNudgeError, NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import { stepLog } from './log-machine.ts';
import { cursorOf, type DropReason, initialLog, type LogEffect, type LogEvent, type LogState } from './log-state.ts';
import { type Flight, type PendingHeads, type PendingPull, PullQueue, type PullQueueOptions } from './pull-queue.ts';
import { type AppEntry, type Item, Puller, type PullerOptions, type PullReport } from './puller.ts';
import type { Storage } from './storage.ts';
import { initialSync, type SyncEffect, type SyncEvent, type SyncState, stepSync } from './sync-machine.ts';
import type { ViewPage } from './view/view.ts';

/** Entries that a conversation's log has moved over. `newRange`: a hole lies before them. */
export interface News {
  readonly entries: readonly Entry[];
  readonly cursor: number;
  readonly newRange: boolean;
}

/** What the driver tells the outside. */
export interface SyncObserver {
  /** The next entries of a conversation, not stored yet: what comes back is stored. `page`: the answer that brought them, if one did. */
  fold(conversationId: string, news: News, page: ViewPage | undefined): readonly Entry[];
  /** The entries were stored. */
  applied(conversationId: string, news: News): void;
  /** A page of a conversation was answered and dealt with. */
  page(conversationId: string, page: ViewPage): void;
  app(entry: AppEntry): void;
  time(serverTime: string): void;
  feed(item: FeedItem): void;
  head(head: Head): void;
  pull(report: PullReport): void;
  dropped(log: LogName, reason: DropReason): void;
  /** Nothing known is missing: every log has what was heard of it and the list of conversations was read to its end. */
  current(): void;
  error(error: NudgeError, log: LogName | undefined): void;
}

export interface SyncDriverDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly random: () => number;
  readonly storage: Storage;
  readonly observer: SyncObserver;
  /** Base address of the pull side. */
  readonly syncBase: () => string;
  /** Conversations of the list that a round starts by itself, newest first. */
  readonly startLogs: number;
  readonly limits: PullerOptions & PullQueueOptions;
}

/** Carries out what the machines ask for: requests, timers, storage, news. Every rule is in the machines. */
export class SyncDriver {
  readonly #deps: SyncDriverDeps;
  readonly #queue: PullQueue;
  readonly #logs = new Map<LogName, LogState>();
  readonly #busy = new Set<LogName>();
  readonly #timers = new Set<() => void>();
  /** Waits that began in this turn, by what they wait for: what failed together is repeated together, in one request. */
  readonly #waits = new Map<string, { log: LogName; ticket: number }[]>();
  #cancelDue: (() => void) | undefined;
  #sync: SyncState;
  #depth = 0;
  #atHand: ViewPage | undefined;
  #wasCurrent = false;
  #closed = false;

  constructor(deps: SyncDriverDeps) {
    this.#deps = deps;
    this.#sync = initialSync({ epoch: null, since: null }, deps.startLogs);
    const sink = {
      epoch: () => this.#sync.epoch,
      onEpoch: (seen: number, asked: number | null) => this.sync({ type: 'epoch', seen, asked }),
      onLog: (log: LogName, event: LogEvent<Item>, page?: ViewPage) => this.#answered(log, event, page),
      onTime: (serverTime: string) => deps.observer.time(serverTime),
      onHeads: (heads: PendingHeads, answer: NonNullable<SyncAnswer['heads']>, serverTime: string) =>
        this.#heads(heads, answer, serverTime),
      onHeadsFailed: ({ ticket }: PendingHeads, error: NudgeError) => {
        const { retryable, retryAfterMs } = error;
        deps.observer.error(error, undefined);
        this.sync({ type: 'failed', ticket, retryable, random: deps.random(), ...after(retryAfterMs) });
      },
      onSplit: (pulls: readonly PendingPull[]) => {
        for (const pull of pulls) this.#queue.pull({ ...pull, alone: true });
      },
      onReport: deps.observer.pull,
      onError: deps.observer.error,
    };
    const puller = new Puller(deps.http, deps.syncBase, sink, deps.limits, () => deps.clock.now());
    const fly = (flight: Flight) => puller.fly(flight).catch((error: unknown) => deps.observer.error(asNudgeError(error), undefined));
    this.#queue = new PullQueue(fly, deps.limits);
  }

  /** Takes over what the device stored, and gives back the feed as it was. Call once, before anything is heard. */
  async restore(): Promise<readonly FeedItem[]> {
    const { epoch, since, cursors, feed } = await this.#deps.storage.load();
    this.#sync = initialSync({ epoch, since }, this.#deps.startLogs);
    for (const [log, cursor] of cursors) this.#logs.set(log, initialLog(kindOf(log), cursor));
    return feed;
  }

  /** The next pull belongs to this trace (W3C Trace Context): what led to it was heard with it. */
  trace(traceparent: string): void {
    this.#deps.http.traceparent = traceparent;
  }

  /** Makes the user's feed one of the logs every round asks for. */
  follow(feed: LogName): void {
    if (!this.#logs.has(feed)) this.#logs.set(feed, initialLog('feed'));
  }

  /** An answer, with what it says beside its entries at hand for as long as it is dealt with. */
  #answered(log: LogName, event: LogEvent<Item>, page: ViewPage | undefined): void {
    this.#atHand = page;
    try {
      this.log(log, event);
    } finally {
      this.#atHand = undefined;
    }
    if (page !== undefined && !this.#closed) this.#deps.observer.page(log.slice(2), page);
  }

  close(): void {
    this.#closed = true;
    this.#cancelDue?.();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  get epoch(): number | null {
    return this.#sync.epoch;
  }

  state(log: LogName): LogState {
    return this.#logs.get(log) ?? initialLog(kindOf(log));
  }

  /** The life of a log now. The log is kept from here on, so that a drop counts even while nothing is held of it. */
  life(log: LogName): number {
    const state = this.state(log);
    this.#logs.set(log, state);
    return state.life;
  }

  /** Puts an event to the machine of one log. Logs of a kind this version does not know are ignored. */
  log(log: LogName, event: LogEvent<Item>): void {
    if (this.#closed || !/^[acu]\//.test(log)) return;
    const before = this.state(log);
    const { state, effects } = stepLog(before, event);
    if (state === before) return;
    this.#logs.set(log, state);
    if (state.phase === 'starting' || state.phase === 'pulling' || state.phase === 'waiting') this.#busy.add(log);
    else this.#busy.delete(log);
    this.#perform(() => {
      for (const effect of effects) this.#logEffect(log, effect, before, state);
    });
  }

  /** Puts an event to the machine over all logs. */
  sync(event: SyncEvent): void {
    if (this.#closed) return;
    const { state, effects } = stepSync(this.#sync, event);
    this.#sync = state;
    this.#perform(() => {
      for (const effect of effects) this.#syncEffect(effect);
    });
  }

  /** Runs effects, which may put further events; whether all is current is judged once, after the outermost. */
  #perform(effects: () => void): void {
    this.#depth++;
    try {
      effects();
    } finally {
      this.#depth--;
    }
    if (this.#depth > 0) return;
    const current = this.#busy.size === 0 && this.#sync.round.phase === 'idle' && this.#sync.since !== null;
    if (current === this.#wasCurrent) return;
    this.#wasCurrent = current;
    if (current) this.#deps.observer.current();
  }

  #logEffect(log: LogName, effect: LogEffect<Item>, before: LogState, state: LogState): void {
    const { observer, storage } = this.#deps;
    switch (effect.type) {
      case 'pull':
        this.#queue.pull({ log, ticket: effect.ticket, after: effect.after, min: effect.min });
        return;
      case 'apply':
        this.#apply(log, effect, cursorOf(before) ?? 0, state.phase === 'idle');
        return;
      case 'drop':
        this.#queue.forget(log);
        storage.drop(log);
        observer.dropped(log, effect.reason);
        return;
      case 'wait': {
        const { ticket, attempt, afterMs } = effect;
        this.#waitLog(log, ticket, attempt, afterMs);
        return;
      }
      case 'violation':
        observer.error(new NudgeError('bad_answer', `a page of ${log} breaks the contract: ${effect.kind}`, { retryable: true }), log);
        return;
    }
  }

  #apply(log: LogName, { items, cursor, newRange }: Extract<LogEffect<Item>, { type: 'apply' }>, before: number, complete: boolean): void {
    const { observer, storage } = this.#deps;
    if (kindOf(log) === 'feed') {
      const news = items.filter((item): item is FeedItem & { seq: number } => typeof item.subject === 'string');
      storage.append(log, [], cursor, false);
      for (const { seq: _version, ...item } of news) {
        storage.saveFeed(log, item);
        observer.feed(item);
      }
      this.sync({ type: 'feed', after: before, complete, items: news });
      return;
    }
    if (log.startsWith('a/')) {
      storage.append(log, [], cursor, false);
      for (const item of items) observer.app(item as AppEntry);
      return;
    }
    const news = { entries: items.filter((item): item is Entry => 'type' in item), cursor, newRange };
    storage.append(log, observer.fold(log.slice(2), news, this.#atHand), cursor, newRange);
    observer.applied(log.slice(2), news);
  }

  #syncEffect(effect: SyncEffect): void {
    switch (effect.type) {
      case 'syncLogs':
        for (const log of [...this.#logs.keys()]) this.log(log, { type: 'sync' });
        return;
      case 'dropLogs':
        for (const log of [...this.#logs.keys()]) this.log(log, { type: 'epochChanged' });
        return;
      case 'heads':
        this.#queue.heads({ ticket: effect.ticket, since: effect.since, page: effect.page });
        return;
      case 'log':
        this.log(`c/${effect.conversationId}`, effect.event);
        return;
      case 'schedule':
        this.#cancelDue?.();
        this.#cancelDue = this.#deps.clock.after(effect.inMs, () => this.sync({ type: 'due' }));
        return;
      case 'wait': {
        const { ticket, attempt, afterMs } = effect;
        this.#wait(RECONNECT_BACKOFF, attempt, afterMs, () => this.sync({ type: 'retry', ticket }));
        return;
      }
      case 'save':
        this.#deps.storage.saveSync({ epoch: effect.epoch, since: effect.since });
        return;
    }
  }

  #heads({ ticket }: PendingHeads, { items, nextCursor }: NonNullable<SyncAnswer['heads']>, serverTime: string): void {
    if (ticket !== this.#sync.ticket) return;
    for (const head of items) this.#deps.observer.head(head);
    this.sync({ type: 'heads', ticket, items, nextCursor: nextCursor ?? null, serverTime, random: this.#deps.random() });
  }

  #waitLog(log: LogName, ticket: number, attempt: number, afterMs: number | undefined): void {
    const key = `${attempt} ${afterMs ?? ''}`;
    const waiting = this.#waits.get(key);
    if (waiting !== undefined) {
      waiting.push({ log, ticket });
      return;
    }
    const together = [{ log, ticket }];
    this.#waits.set(key, together);
    queueMicrotask(() => this.#waits.delete(key));
    this.#wait(REQUEST_BACKOFF, attempt, afterMs, () => {
      for (const each of together) this.log(each.log, { type: 'retry', ticket: each.ticket });
    });
  }

  #wait(backoff: Backoff, attempt: number, afterMs: number | undefined, then: () => void): void {
    const { clock, random } = this.#deps;
    const cancel = clock.after(backoffMs(backoff, attempt, random(), afterMs), () => {
      this.#timers.delete(cancel);
      then();
    });
    this.#timers.add(cancel);
  }
}

function kindOf(log: LogName): 'entries' | 'feed' {
  return log.startsWith('u/') ? 'feed' : 'entries';
}

function after(retryAfterMs: number | undefined): { afterMs?: number } {
  return retryAfterMs === undefined ? {} : { afterMs: retryAfterMs };
}
