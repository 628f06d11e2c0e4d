import type { ConversationDelta, EntriesPage, Entry, FeedItem, LogName, SyncAnswer, SyncRequest } from '@nudge/types';
import { asNudgeError, NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { LogEvent } from './log-state.ts';
import type { Flight, PendingHeads, PendingPull } from './pull-queue.ts';
import type { ViewPage } from './view/view.ts';
import { entriesPage, syncAnswer } from './wire.ts';

/** What travels in the log of a conversation, in the feed or in the app's log, under its position. */
export type Item = Entry | (FeedItem & { readonly seq: number }) | AppEntry;

/** A broadcast to every user of the app. */
export type AppEntry = Readonly<Record<string, unknown>> & { readonly seq: number };

/** One log of one finished request, for those who watch. */
export interface PullReport {
  readonly log: LogName;
  readonly after: number | null;
  readonly min: number;
  readonly via: 'entries' | 'sync';
  /** Entries in the answer. */
  readonly count: number;
  /** Last seq of the log by the answer; `undefined` when it failed. */
  readonly head: number | undefined;
  /** Error code, `too_long`, or `undefined` when a page came. */
  readonly code: string | undefined;
  /** From request to answer, ms. */
  readonly ms: number;
}

/** Where answers go. */
export interface PullSink {
  /** The epoch known now. */
  epoch(): number | null;
  /** An answer's epoch, told before anything else of the answer. `asked`: known when its request left. */
  onEpoch(seen: number, asked: number | null): void;
  /** `page`: what the answer says beside its entries, where it is one of a conversation. */
  onLog(log: LogName, event: LogEvent<Item>, page?: ViewPage): void;
  /** The server's time, as of an answer. */
  onTime(serverTime: string): void;
  onHeads(heads: PendingHeads, answer: NonNullable<SyncAnswer['heads']>, serverTime: string): void;
  onHeadsFailed(heads: PendingHeads, error: NudgeError): void;
  /** A request that named several was refused for good: each is to be asked alone. */
  onSplit(pulls: readonly PendingPull[]): void;
  onReport(report: PullReport): void;
  onError(error: NudgeError, log: LogName | undefined): void;
}

export interface PullerOptions {
  /** Entries per page after a cursor, as many as the server allows on one. */
  readonly pageEntries: number;
  /** Entries of the page a log is started with. */
  readonly startEntries: number;
  /** Entries in one answer over many logs. */
  readonly syncEntries: number;
}

/** Makes the requests of the pull side and translates their answers into events of the machines. Decides nothing. */
export class Puller {
  readonly #http: Http;
  readonly #base: () => string;
  readonly #sink: PullSink;
  readonly #options: PullerOptions;
  readonly #now: () => number;

  constructor(http: Http, base: () => string, sink: PullSink, options: PullerOptions, now: () => number) {
    this.#http = http;
    this.#base = base;
    this.#sink = sink;
    this.#options = options;
    this.#now = now;
  }

  async fly(flight: Flight): Promise<void> {
    if (flight.via === 'entries') await this.#entries(flight.pull);
    else await this.#sync(flight.pulls, flight.heads);
  }

  async #entries(pull: PendingPull): Promise<void> {
    const asked = this.#sink.epoch();
    const started = this.#now();
    const limit = pull.after === null ? this.#options.startEntries : this.#options.pageEntries;
    const after = pull.after === null ? '' : `&after=${pull.after}`;
    const min = pull.min > 0 ? `&min=${pull.min}` : '';
    const url = `${this.#base()}/v1/sync/conversations/${encodeURIComponent(pull.log.slice(2))}/entries?limit=${limit}${after}${min}`;
    let page: EntriesPage;
    try {
      page = entriesPage((await this.#http.once({ method: 'GET', url, pull: true })).body);
    } catch (caught) {
      const error = asNudgeError(caught);
      this.#sink.onReport(this.#report(pull, 'entries', started, 0, undefined, error.code));
      return this.#failed(pull, error);
    }
    this.#sink.onReport(this.#report(pull, 'entries', started, page.entries.length, page.head, undefined));
    this.#sink.onEpoch(page.epoch, asked);
    this.#sink.onLog(pull.log, { ...pageEvent(pull, page), crowded: false }, page);
  }

  async #sync(pulls: readonly PendingPull[], heads: PendingHeads | undefined): Promise<void> {
    const asked = this.#sink.epoch();
    const started = this.#now();
    let answer: SyncAnswer;
    try {
      const body = this.#syncRequest(pulls, heads);
      answer = syncAnswer((await this.#http.once({ method: 'POST', url: `${this.#base()}/v1/sync`, body, pull: true })).body);
    } catch (caught) {
      return this.#syncFailed(pulls, heads, asNudgeError(caught), started);
    }
    this.#sink.onTime(answer.serverTime);
    this.#sink.onEpoch(answer.epoch, asked);
    const moved = pulls.filter((pull) => countOf(answer, pull) > 0);
    for (const pull of pulls) this.#deliver(pull, answer, moved.length > (moved.includes(pull) ? 1 : 0), started);
    if (heads !== undefined) this.#sink.onHeads(heads, answer.heads ?? { items: [] }, answer.serverTime);
  }

  #syncFailed(pulls: readonly PendingPull[], heads: PendingHeads | undefined, error: NudgeError, started: number): void {
    for (const pull of pulls) this.#sink.onReport(this.#report(pull, 'sync', started, 0, undefined, error.code));
    const refusedWhole = !error.retryable && error.status !== undefined && error.status !== 401;
    if (refusedWhole && pulls.length + (heads === undefined ? 0 : 1) > 1) {
      this.#sink.onSplit(pulls);
      // The list of conversations names no log: alone it may well be answered.
      if (heads !== undefined)
        this.#sink.onHeadsFailed(heads, new NudgeError(error.code, error.message, { retryable: true, cause: error }));
      return;
    }
    for (const pull of pulls) this.#failed(pull, error);
    if (heads !== undefined) this.#sink.onHeadsFailed(heads, error);
  }

  #syncRequest(pulls: readonly PendingPull[], heads: PendingHeads | undefined): SyncRequest {
    const request: SyncRequest = { limit: this.#options.syncEntries };
    const conversations: Record<string, { after: number; min?: number }> = {};
    for (const { log, after, min } of pulls) {
      const part = { after: after ?? 0, ...(min > 0 ? { min } : {}) };
      if (log.startsWith('u/')) request.feed = part;
      else if (log.startsWith('a/')) request.app = part;
      else conversations[log.slice(2)] = part;
    }
    if (Object.keys(conversations).length > 0) request.conversations = conversations;
    if (heads !== undefined) {
      request.heads = {
        ...(heads.since === null ? {} : { since: heads.since }),
        ...(heads.page === null ? {} : { cursor: heads.page }),
      };
    }
    return request;
  }

  #deliver(pull: PendingPull, answer: SyncAnswer, crowded: boolean, started: number): void {
    const { log, ticket } = pull;
    if (log.startsWith('u/')) {
      const { feed } = answer;
      if (feed === undefined) {
        this.#missing(pull, started);
        return;
      }
      const items = feed.items.map((item) => ({ ...item, seq: item.version }));
      this.#sink.onReport(this.#report(pull, 'sync', started, items.length, feed.version, undefined));
      this.#sink.onLog(log, { type: 'page', ticket, items, head: feed.version, oldestSeq: 0, more: feed.more, crowded });
      return;
    }
    if (log.startsWith('a/')) {
      this.#deliverApp(pull, answer, crowded, started);
      return;
    }
    const delta: ConversationDelta | undefined = answer.conversations[log.slice(2)];
    if (delta === undefined) {
      this.#missing(pull, started);
      return;
    }
    if ('error' in delta) {
      const { code, retryable, retryAfterMs } = delta.error;
      this.#sink.onReport(this.#report(pull, 'sync', started, 0, undefined, code));
      this.#sink.onLog(log, refused(ticket, code, retryable, retryAfterMs));
      return;
    }
    if (delta.tooLong !== undefined && delta.tooLong !== null) {
      this.#sink.onReport(this.#report(pull, 'sync', started, delta.entries.length, delta.head, 'too_long'));
      this.#sink.onLog(log, { type: 'tooLong', ticket, snapshotSeq: delta.tooLong.snapshotSeq, items: delta.entries }, delta);
      return;
    }
    this.#sink.onReport(this.#report(pull, 'sync', started, delta.entries.length, delta.head, undefined));
    this.#sink.onLog(log, { ...pageEvent(pull, delta), crowded }, delta);
  }

  /** The app's log has no newest page: it is started from the head that its first page names. */
  #deliverApp(pull: PendingPull, { app }: SyncAnswer, crowded: boolean, started: number): void {
    if (app === undefined) {
      this.#missing(pull, started);
      return;
    }
    const items = pull.after === null ? [] : app.entries.filter((entry): entry is AppEntry => typeof entry.seq === 'number');
    this.#sink.onReport(this.#report(pull, 'sync', started, items.length, app.head, undefined));
    const { log, ticket } = pull;
    this.#sink.onLog(log, { type: 'page', ticket, items, head: app.head, oldestSeq: 1, more: pull.after !== null && app.more, crowded });
  }

  /** Every named log is answered; one that is not counts as a failed pull. */
  #missing(pull: PendingPull, started: number): void {
    this.#sink.onReport(this.#report(pull, 'sync', started, 0, undefined, 'bad_answer'));
    this.#sink.onLog(pull.log, { type: 'failed', ticket: pull.ticket, retryable: true });
  }

  #failed(pull: PendingPull, error: NudgeError): void {
    const event = refused(pull.ticket, error.code, error.retryable, error.retryAfterMs);
    if (event.type === 'failed') this.#sink.onError(error, pull.log);
    this.#sink.onLog(pull.log, event);
  }

  #report(
    { log, after, min }: PendingPull,
    via: 'entries' | 'sync',
    started: number,
    count: number,
    head: number | undefined,
    code: string | undefined,
  ): PullReport {
    return { log, after, min, via, count, head, code, ms: this.#now() - started };
  }
}

function pageEvent(pull: PendingPull, page: { entries: readonly Entry[]; head: number; oldestSeq: number; more: boolean }) {
  const { entries, head, oldestSeq, more } = page;
  return { type: 'page', ticket: pull.ticket, items: entries, head, oldestSeq, more } as const;
}

function refused(ticket: number, code: string, retryable: boolean, afterMs: number | undefined): LogEvent<Item> {
  if (code === 'not_found') return { type: 'notFound', ticket };
  if (code === 'seq_ahead') return { type: 'seqAhead', ticket };
  return { type: 'failed', ticket, retryable, ...(afterMs === undefined ? {} : { afterMs }) };
}

function countOf(answer: SyncAnswer, { log }: PendingPull): number {
  if (log.startsWith('u/')) return answer.feed?.items.length ?? 0;
  if (log.startsWith('a/')) return answer.app?.entries.length ?? 0;
  const delta = answer.conversations[log.slice(2)];
  return delta === undefined || 'error' in delta ? 0 : delta.entries.length;
}
