import { type Clock, NudgeError, type Router } from '@nudge/server-kit';
import type { PageRows } from '../store/pull-store.ts';
import { namedReactions, ownReactions } from './own-reactions.ts';
import { encodePage, type Page, withMine } from './page.ts';
import type { PageReader, Reading, Source } from './page-reader.ts';
import { cut, holds } from './run.ts';
import type { Standings } from './standings.ts';
import type { Tail } from './tail.ts';
import type { TailCache } from './tail-cache.ts';
import type { Floor, TailRefresher } from './tail-refresher.ts';
import type { Ticks } from './ticks.ts';
import { startFor } from './visibility.ts';
import { within } from './waiting.ts';
import { cursorOf, rangeOf, type Window } from './window.ts';

/** A page of one conversation, asked by one user. `min`: the seq that a key named. */
export interface EntriesQuery {
  readonly appId: string;
  readonly userId: string;
  readonly epoch: number;
  readonly conversationId: string;
  readonly window: Window;
  readonly min: number | undefined;
}

/** What {@link EntriesService} needs. */
export interface EntriesServiceOptions {
  readonly router: Router<Source>;
  readonly cache: TailCache;
  readonly reader: PageReader;
  readonly refresher: TailRefresher;
  readonly standings: Standings;
  readonly clock: Clock;
  readonly ticks: Ticks;
  /** How long a pull waits before it answers `not_caught_up`, ms. */
  readonly waitMs: number;
}

/** A reader's place, and the membership version it was read at. */
interface Place {
  readonly start: number;
  readonly memberVersion: number;
}

const CACHE_ROUNDS = 4;

/** Pages of one conversation: from its tail when that holds what was promised, else from the database. */
export class EntriesService {
  readonly #options: EntriesServiceOptions;

  constructor(options: EntriesServiceOptions) {
    this.#options = options;
  }

  /** The page without waiting, if the tail has what was promised and names the viewer's own reactions. */
  cached(query: EntriesQuery): Page | undefined {
    const page = this.#fromTail(query, floorOf(query, this.#options.ticks.now()));
    if (page === undefined || page.reacted.length === 0) return page;
    const { own, unsure } = namedReactions(page.reacted, query.userId);
    return unsure.length > 0 ? undefined : withMine(page, own);
  }

  /**
   * The page, computed from a state that has reached `min` and the cursor; without `min`, from one that the primary had after the
   * request arrived.
   *
   * @throws NudgeError `not_found`, `seq_ahead`, `not_caught_up`
   */
  list(query: EntriesQuery, signal: AbortSignal): Promise<Page> {
    const { clock, ticks, waitMs } = this.#options;
    return within(this.#personal(query, floorOf(query, ticks.now()), signal), { clock, ms: waitMs, signal });
  }

  async #personal(query: EntriesQuery, floor: Floor, signal: AbortSignal): Promise<Page> {
    const page = await this.#read(query, floor, signal);
    if (page.reacted.length === 0) return page;
    const { conversationId, userId } = query;
    const { primary } = this.#options.router.route(conversationId).pool;
    const [own] = await ownReactions(primary, userId, [{ conversationId, reacted: page.reacted }]);
    return own === undefined ? page : withMine(page, own);
  }

  /** The page without asking anyone, if the tail reaches the floor, holds the page and knows the reader. */
  #fromTail(query: EntriesQuery, floor: Floor): Page | undefined {
    const tail = this.#options.cache.get(query.conversationId);
    if (tail === undefined || tail.appId !== query.appId || !reachedBy(tail, floor)) return undefined;
    const now = this.#options.clock.now();
    const start = tail.startFor(query.userId, now);
    return start === undefined ? undefined : tail.page(query.window, start, query.epoch, now);
  }

  async #read(query: EntriesQuery, asked: Floor, signal: AbortSignal): Promise<Page> {
    const { router, cache } = this.#options;
    const source = router.route(query.conversationId).pool;
    const { floor, place } = source.replicas.exist ? await this.#askPrimary(source, query, asked) : { floor: asked, place: undefined };
    for (let round = 0; round < CACHE_ROUNDS; round += 1) {
      const page = this.#fromTail(query, floor);
      if (page !== undefined) return page;
      const tail = cache.get(query.conversationId);
      if (tail === undefined || tail.appId !== query.appId || !tail.open || !coverable(tail, query.window)) break;
      if (place !== undefined && !tail.roster.knows(query.userId)) break;
      await this.#prepare(source, tail, query, floor);
      if (tail.head === undefined) break;
    }
    return this.#direct(source, query, floor, place, signal);
  }

  /**
   * Replicas serve rows, never truth: what the reader may see, and how far the log goes when no `min` says it, comes from the
   * primary, unless the tail knows the one and a key told the other.
   */
  async #askPrimary(source: Source, query: EntriesQuery, floor: Floor): Promise<{ floor: Floor; place: Place }> {
    const { cache, clock, standings } = this.#options;
    const { conversationId, userId, appId } = query;
    const tail = cache.get(conversationId);
    const start = tail?.appId === appId ? tail.startFor(userId, clock.now()) : undefined;
    if (!floor.fresh && tail !== undefined && start !== undefined) return { floor, place: { start, memberVersion: tail.roster.version } };
    const confirmed = await standings.confirm(source, appId, { conversationId, userId });
    const { lastSeq, memberVersion } = confirmed.standing.state;
    if (floor.seq > lastSeq) throw seqAhead();
    return { floor: { ...floor, seq: floor.fresh ? lastSeq : floor.seq, fresh: false }, place: { start: confirmed.start, memberVersion } };
  }

  /** Gets what the tail lacks: rows up to the floor or in place of stale ones, the reader's membership, or both at once. */
  async #prepare(source: Source, tail: Tail, query: EntriesQuery, floor: Floor): Promise<void> {
    const { standings, refresher, clock } = this.#options;
    const { conversationId, userId, appId, window } = query;
    const now = clock.now();
    const after = tail.readFrom(window, tail.startFor(userId, now) ?? 1, now);
    const repairs = tail.head !== undefined && after < tail.head;
    const lacksRows = repairs || !reachedBy(tail, floor);
    const rowsConfirmReader = lacksRows && !source.replicas.exist;
    const lacksReader = !tail.roster.knows(userId) || (!rowsConfirmReader && tail.startFor(userId, now) === undefined);
    const target = repairs ? { ...floor, seq: Math.max(floor.seq, tail.head ?? 0) } : floor;
    const flight = lacksRows ? refresher.refresh(source, tail, target, { after, repairs }, lacksReader ? userId : undefined) : undefined;
    const isAskedAlong = flight?.userId === userId && !source.replicas.exist;
    const [reading] = await Promise.all([
      flight?.landed,
      lacksReader && !isAskedAlong ? standings.confirm(source, appId, { conversationId, userId }) : undefined,
    ]);
    if (reading === undefined) return;
    if (reading.rows === undefined) throw new NudgeError('not_found');
    const isFinal = reading.origin.primary && reading.origin.sentTick > floor.since;
    // Here and not by another question: whoever may see nothing must not learn from the time it takes that there is something.
    if (isFinal && isAskedAlong && startFor(reading.rows, appId) === undefined) throw new NudgeError('not_found');
    // Only a member may learn how far the log goes.
    if (isFinal && reading.rows.state.lastSeq < floor.seq && tail.roster.knows(userId)) throw seqAhead();
  }

  /** One statement that reads the page and the reader's membership, whatever is kept. */
  async #direct(source: Source, query: EntriesQuery, floor: Floor, place: Place | undefined, signal: AbortSignal): Promise<Page> {
    const { reader } = this.#options;
    const { conversationId, userId } = query;
    let window = query.window;
    for (;;) {
      const reading = await reader.one(source, { conversationId, ...window, userId }, floor.seq, signal);
      const start = await this.#startOf(source, query, reading, place);
      const { rows } = reading;
      if (rows === undefined || start === undefined) throw new NudgeError('not_found');
      this.#keep(rows, query, reading);
      const head = rows.state.lastSeq;
      if (head < floor.seq) throw seqAhead();
      const { from, to, more } = rangeOf(query.window, start, head);
      if (holds(rows, from, to))
        return encodePage({ epoch: query.epoch, first: from, texts: cut(rows, from, to), head, oldestSeq: start, more });
      window = { kind: 'after', seq: from - 1, limit: query.window.limit };
    }
  }

  /** The visible start. Rows of a replica that has seen another membership than the one known need the primary's word again. */
  async #startOf(source: Source, query: EntriesQuery, reading: Reading, place: Place | undefined): Promise<number | undefined> {
    if (reading.origin.primary) return startFor(reading.rows, query.appId);
    if (place !== undefined && reading.rows?.state.memberVersion === place.memberVersion) return place.start;
    return (await this.#options.standings.confirm(source, query.appId, query)).start;
  }

  #keep(rows: PageRows, query: EntriesQuery, reading: Reading): void {
    const { cache } = this.#options;
    const tail = cache.get(query.conversationId);
    if (tail === undefined) cache.track(query.conversationId, rows.state);
    else tail.absorbPage(rows, query.userId, reading.origin);
  }
}

/** The log has not got that far, as the primary says. */
export function seqAhead(): NudgeError {
  return new NudgeError('seq_ahead');
}

/** Without `min` the floor is what the primary has from now on. */
function floorOf(query: EntriesQuery, now: number): Floor {
  return { seq: Math.max(query.min ?? 0, cursorOf(query.window)), fresh: query.min === undefined, since: now };
}

function reachedBy(tail: Tail, floor: Floor): boolean {
  return tail.head !== undefined && tail.head >= floor.seq && (!floor.fresh || tail.headTick > floor.since);
}

/** Whether bringing the tail up to the head would make it hold the page. */
function coverable(tail: Tail, window: Window): boolean {
  if (tail.first === undefined || tail.head === undefined) return window.kind === 'after' && tail.lastSeq - window.seq <= window.limit;
  if (window.kind === 'after') return window.seq + 1 >= tail.first;
  return tail.first === 1 || Math.min(window.seq - 1, tail.head) - window.limit + 1 >= tail.first;
}
