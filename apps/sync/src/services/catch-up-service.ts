import { type Clock, NudgeError, type Router, toNudgeError } from '@nudge/server-kit';
import { type CatchUpLimits, type PlacedLog, type PlannedPage, planCatchUp } from './catch-up-plan.ts';
import { seqAhead } from './entries-service.ts';
import type { LogDelta, NamedLog } from './log-delta.ts';
import { ownReactions } from './own-reactions.ts';
import { encodePage, type Page, withMine } from './page.ts';
import type { PageReader, Reading, Source } from './page-reader.ts';
import { cut, holds } from './run.ts';
import type { Standings } from './standings.ts';
import type { TailCache } from './tail-cache.ts';
import { CATCH_UP_RETRY_MS, type Patience, within } from './waiting.ts';
import { rangeOf } from './window.ts';

/** Many conversations asked by one user at once. */
export interface CatchUpQuery {
  readonly appId: string;
  readonly userId: string;
  readonly epoch: number;
  readonly logs: readonly NamedLog[];
  /** Entries over all logs. */
  readonly limit: number;
}

/** What {@link CatchUpService} needs. */
export interface CatchUpServiceOptions {
  readonly router: Router<Source>;
  readonly cache: TailCache;
  readonly reader: PageReader;
  readonly standings: Standings;
  readonly clock: Clock;
  readonly waitMs: number;
  readonly limits: Omit<CatchUpLimits, 'total'>;
}

/** A log whose reader may see it: what is visible, and the membership version that says so. */
interface Place extends PlacedLog {
  readonly memberVersion: number;
}

type Placed = Place | NudgeError;

/** The log, its place and what of it goes into the answer. */
interface Task {
  readonly log: NamedLog;
  readonly place: Place;
  readonly plan: PlannedPage;
}

interface Group {
  readonly source: Source;
  readonly indices: number[];
}

/**
 * What many logs have that a device has not, by two statements at most for each database: one says how far the logs go and what may be
 * seen, one reads the rows of those whose tails do not hold them. A database that fails, fails only its own logs.
 */
export class CatchUpService {
  readonly #options: CatchUpServiceOptions;

  constructor(options: CatchUpServiceOptions) {
    this.#options = options;
  }

  /**
   * One delta for each log, in order.
   *
   * @throws NudgeError when no log could be answered because of the database
   */
  async deltas(query: CatchUpQuery, signal: AbortSignal): Promise<readonly LogDelta[]> {
    const patience = { clock: this.#options.clock, ms: this.#options.waitMs, signal };
    const places = await this.#inGroups(
      query.logs.map((log, index) => ({ log, index })),
      patience,
      (source, asked) =>
        this.#place(
          source,
          query,
          asked.map(({ log }) => log),
        ),
    );
    const seen = query.logs.flatMap((log, index) => {
      const place = places[index];
      return place === undefined || place instanceof NudgeError ? [] : [{ log, place, index }];
    });
    const plans = planCatchUp(
      seen.map(({ place }) => place),
      { ...this.#options.limits, total: query.limit },
    );
    const tasks = seen.flatMap(({ log, place, index }, i) => {
      const plan = plans[i];
      return plan === undefined ? [] : [{ log, place, plan, index }];
    });
    const pages = await this.#inGroups(tasks, patience, (source, asked) => this.#pages(source, query, asked, signal));
    const answered = new Map<number, LogDelta>();
    tasks.forEach(({ index, plan, place }, i) => {
      answered.set(index, toDelta(pages[i] ?? unanswered(), plan, place));
    });
    const deltas = places.map((place, index) => answered.get(index) ?? failure(place instanceof NudgeError ? place : unanswered()));
    throwIfAllFailed(deltas);
    return deltas;
  }

  /** Runs `work` once for each database concerned. A failure becomes the outcome of that database's logs; a client gone ends it all. */
  async #inGroups<T extends { readonly log: NamedLog }, R>(
    items: readonly T[],
    patience: Required<Patience>,
    work: (source: Source, items: readonly T[]) => Promise<readonly (R | NudgeError)[]>,
  ): Promise<(R | NudgeError)[]> {
    const groups = new Map<string, Group>();
    items.forEach(({ log }, index) => {
      const { pool, group } = this.#options.router.route(log.conversationId);
      const present = groups.get(group);
      if (present === undefined) groups.set(group, { source: pool, indices: [index] });
      else present.indices.push(index);
    });
    const outcomes: (R | NudgeError | undefined)[] = items.map(() => undefined);
    await Promise.all(
      [...groups.values()].map(async ({ source, indices }) => {
        const own = indices.flatMap((index) => items[index] ?? []);
        const results = await within(work(source, own), patience).catch((cause: unknown) => {
          patience.signal.throwIfAborted();
          const error = toNudgeError(cause);
          return own.map(() => error);
        });
        indices.forEach((index, i) => {
          outcomes[index] = results[i];
        });
      }),
    );
    return outcomes.map((outcome) => outcome ?? unanswered());
  }

  /** Where each log goes to and begins. A key's promise that a tail already keeps needs no question. */
  async #place(source: Source, query: CatchUpQuery, logs: readonly NamedLog[]): Promise<Placed[]> {
    const { appId, userId } = query;
    const places: (Placed | undefined)[] = logs.map((log) => this.#placeFromTail(query, log));
    const asked = logs.flatMap((log, index) => (places[index] === undefined ? [{ log, index }] : []));
    if (asked.length > 0) {
      const ids = asked.map(({ log }) => log.conversationId);
      const confirmed = await this.#options.standings.confirmAll(source, appId, userId, ids);
      asked.forEach(({ log, index }, i) => {
        const one = confirmed[i];
        if (one === undefined) places[index] = new NudgeError('not_found');
        else if (Math.max(log.min ?? 0, log.after) > one.standing.state.lastSeq) places[index] = seqAhead();
        else {
          const { lastSeq: head, memberVersion } = one.standing.state;
          places[index] = { after: log.after, start: one.start, head, memberVersion };
        }
      });
    }
    return places.map((place) => place ?? unanswered());
  }

  #placeFromTail({ appId, userId }: CatchUpQuery, { conversationId, after, min }: NamedLog): Place | undefined {
    if (min === undefined) return undefined;
    const tail = this.#options.cache.get(conversationId);
    if (tail?.head === undefined || tail.appId !== appId || tail.head < Math.max(min, after)) return undefined;
    const start = tail.startFor(userId, this.#options.clock.now());
    return start === undefined ? undefined : { after, start, head: tail.head, memberVersion: tail.roster.version };
  }

  async #pages(source: Source, query: CatchUpQuery, tasks: readonly Task[], signal: AbortSignal): Promise<(Page | NudgeError)[]> {
    const pages: (Page | NudgeError | undefined)[] = tasks.map((task) => this.#pageFromTail(query, task));
    const cold = tasks.flatMap((task, index) => (pages[index] === undefined ? [{ task, index }] : []));
    if (cold.length > 0) {
      const reads = cold.map(({ task }) => ({ conversationId: task.log.conversationId, ...task.plan.window, userId: undefined }));
      const floors = cold.map(({ task }) => task.place.head);
      const readings = await this.#options.reader.many(source, reads, floors, signal);
      await Promise.all(
        cold.map(async ({ task, index }, i) => {
          const reading = readings[i];
          if (reading !== undefined) pages[index] = await this.#pageFromRows(source, query, task, reading);
        }),
      );
    }
    return this.#personal(
      source,
      query.userId,
      tasks,
      pages.map((page) => page ?? unanswered()),
    );
  }

  /** Adds the viewer's own reactions, by one statement at most for all pages. */
  async #personal(
    source: Source,
    userId: string,
    tasks: readonly Task[],
    pages: readonly (Page | NudgeError)[],
  ): Promise<(Page | NudgeError)[]> {
    if (pages.every((page) => page instanceof NudgeError || page.reacted.length === 0)) return [...pages];
    const logs = tasks.map(({ log: { conversationId } }, index) => {
      const page = pages[index];
      return { conversationId, reacted: page === undefined || page instanceof NudgeError ? [] : page.reacted };
    });
    const own = await ownReactions(source.primary, userId, logs);
    return pages.map((page, index) => (page instanceof NudgeError ? page : withMine(page, own[index] ?? new Map())));
  }

  /** A page without entries needs no rows; the head it names was asked for just now. */
  #pageFromTail({ epoch }: CatchUpQuery, { log, place, plan }: Task): Page | undefined {
    const { start, head } = place;
    if (plan.window.limit === 0) return encodePage({ epoch, first: 1, texts: [], head, oldestSeq: start, more: plan.window.seq < head });
    const tail = this.#options.cache.get(log.conversationId);
    if (tail?.head === undefined || tail.head < head || tail.roster.version !== place.memberVersion) return undefined;
    return tail.page(plan.window, start, epoch, this.#options.clock.now());
  }

  /** When the members changed between the two statements, the place is asked again: the rows may lie beyond a leaving. */
  async #pageFromRows(
    source: Source,
    query: CatchUpQuery,
    { log, place, plan }: Task,
    { rows, origin }: Reading,
  ): Promise<Page | NudgeError> {
    const { appId, userId, epoch } = query;
    const { conversationId } = log;
    if (rows === undefined) return new NudgeError('not_found');
    this.#options.cache.get(conversationId)?.absorbPage(rows, undefined, origin);
    let { start } = place;
    if (rows.state.memberVersion !== place.memberVersion) {
      const [again] = await this.#options.standings.confirmAll(source, appId, userId, [conversationId]);
      if (again === undefined) return new NudgeError('not_found');
      start = again.start;
    }
    const head = rows.state.lastSeq;
    const { from, to, more } = rangeOf(plan.window, start, head);
    if (head < place.head || !holds(rows, from, to)) return new NudgeError('not_caught_up', { retryAfterMs: CATCH_UP_RETRY_MS });
    return encodePage({ epoch, first: from, texts: cut(rows, from, to), head, oldestSeq: start, more });
  }
}

function toDelta(page: Page | NudgeError, plan: PlannedPage, place: Place): LogDelta {
  if (page instanceof NudgeError) return failure(page);
  if (!plan.tooLong) return { kind: 'page', page };
  return { kind: 'tooLong', page, snapshotSeq: plan.window.seq + plan.window.limit, oldestSeq: place.start };
}

function failure(error: NudgeError): LogDelta {
  return { kind: 'error', error };
}

/** A fault of ours. Made only where it is needed: an error costs a stack trace, and a request names many logs. */
function unanswered(): NudgeError {
  return new NudgeError('internal', { detail: 'a log was left without an answer' });
}

/** Logs that failed alone are told one by one; a database that answers nobody is told as such. */
function throwIfAllFailed(deltas: readonly LogDelta[]): void {
  const failures = deltas.flatMap((delta) => (delta.kind === 'error' && delta.error.status >= 500 ? [delta.error] : []));
  const [first] = failures;
  if (first !== undefined && failures.length === deltas.length && first.code !== 'not_caught_up') throw first;
}
