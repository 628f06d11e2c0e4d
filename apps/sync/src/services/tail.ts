import type { ConversationState, PageRows, Standing } from '../store/pull-store.ts';
import { absorb, expire, firstStale, holdsFresh, type KeptRun, trimKept } from './kept-run.ts';
import type { Origin } from './origin.ts';
import { encodePage, type Page } from './page.ts';
import { Roster } from './roster.ts';
import { bytesOf, cut, lastOf } from './run.ts';
import { visibleStart } from './visibility.ts';
import { rangeOf, type Window } from './window.ts';

/** Bounds of one {@link Tail}. */
export interface TailLimits {
  readonly entries: number;
  readonly bytes: number;
  readonly membershipTrustMs: number;
}

interface Memo {
  readonly window: Window;
  readonly start: number;
  readonly epoch: number;
  readonly page: Page;
}

const MEMO_PAGES = 6;
const BASE_BYTES = 1024;
const MEMBER_BYTES = 128;

/**
 * What is kept of one conversation: a contiguous run of entry texts that ends at a committed head, pages finished from it, and who
 * may read them. The run and what its acting entries make stale change in one step, so no head is ever shown with an older text. Nothing is kept from a statement that was sent before the last {@link drop}, nor before the control topic of the
 * conversation was heard.
 */
export class Tail {
  readonly id: string;
  readonly appId: string;
  readonly roster: Roster;
  readonly #limits: TailLimits;
  readonly #resized: (by: number) => void;
  #state: ConversationState;
  #stateTick = 0;
  #stateDropped = false;
  #run: KeptRun | undefined;
  #memos: Memo[] = [];
  #headTick = 0;
  #keepsAfter = Number.POSITIVE_INFINITY;
  #bytes = BASE_BYTES;
  /** Second chance of the cache's eviction: set by use, cleared by a passing sweep. */
  used = false;
  /** Whether a page was answered from here since the last prefetch. */
  wanted = false;

  /** @param resized is told by how much {@link bytes} changed */
  constructor(id: string, state: ConversationState, limits: TailLimits, resized: (by: number) => void) {
    this.id = id;
    this.appId = state.appId;
    this.roster = new Roster(state.memberVersion, limits.membershipTrustMs);
    this.#limits = limits;
    this.#resized = resized;
    this.#state = state;
  }

  /** Seq of the newest entry kept, or `undefined` while no run is kept. */
  get head(): number | undefined {
    return this.#run === undefined ? undefined : lastOf(this.#run);
  }

  /** Seq of the oldest entry kept. */
  get first(): number | undefined {
    return this.#run?.first;
  }

  /** How far the log went when the primary was asked last. */
  get lastSeq(): number {
    return this.#state.lastSeq;
  }

  /** Tick of the newest statement on the primary that found nothing beyond {@link head}. */
  get headTick(): number {
    return this.#headTick;
  }

  /** What it counts with against the cache's bound. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether what is read from now on may be kept. */
  get open(): boolean {
    return this.#keepsAfter !== Number.POSITIVE_INFINITY;
  }

  /** From tick `now` on the control topic is heard. */
  heard(now: number): void {
    this.#keepsAfter = now;
  }

  /** A control message at tick `now`: copies are out of date. Without a version: control messages may have been lost. */
  drop(now: number, memberVersion?: number): void {
    if (this.open) this.#keepsAfter = now;
    if (memberVersion === undefined) this.roster.distrust();
    else this.roster.raise(memberVersion, now);
    this.#stateTick = Math.max(this.#stateTick, now);
    this.#stateDropped = true;
    this.#setRun(undefined);
  }

  /** First seq the user sees, or `undefined` when the membership is not known well enough to answer from here. */
  startFor(userId: string, now: number): number | undefined {
    if (this.#stateDropped) return undefined;
    const joinedSeq = this.roster.joinedSeq(userId, now);
    return joinedSeq === undefined ? undefined : visibleStart(this.#state, joinedSeq);
  }

  /** The finished page, or `undefined` when the run does not hold it as it is at `now`. The same object for everyone who asks for the same. */
  page(window: Window, start: number, epoch: number, now: number): Page | undefined {
    this.wanted = true;
    this.#expire(now);
    for (const memo of this.#memos) {
      const { seq, limit, kind } = memo.window;
      if (seq === window.seq && limit === window.limit && kind === window.kind && memo.start === start && memo.epoch === epoch)
        return memo.page;
    }
    if (this.#run === undefined) return undefined;
    const head = lastOf(this.#run);
    const { from, to, more } = rangeOf(window, start, head);
    if (!holdsFresh(this.#run, from, to)) return undefined;
    const page = encodePage({ epoch, first: from, texts: cut(this.#run, from, to), head, oldestSeq: start, more });
    this.#memos.push({ window, start, epoch, page });
    this.#resize(page.bytes);
    if (this.#memos.length > MEMO_PAGES) this.#resize(-(this.#memos.shift()?.page.bytes ?? 0));
    return page;
  }

  /** Exclusive bound above which a read gives what the run has not got of a page, if only the texts of the page that are stale. */
  readFrom(window: Window, start: number, now: number): number {
    this.#expire(now);
    if (this.#run === undefined) return window.seq;
    const head = lastOf(this.#run);
    const { from, to } = rangeOf(window, start, head);
    return (firstStale(this.#run, from, to) ?? head + 1) - 1;
  }

  /** Takes in a conversation's state and one user's membership. */
  absorbStanding(standing: Standing, userId: string, origin: Origin): void {
    this.#absorbState(standing.state, origin);
    this.#confirmHead(standing.state.lastSeq, origin);
    if (origin.sentTick > this.#keepsAfter) this.#learn(standing, userId, origin);
  }

  /** Takes in what a page read found, with the membership of `userId` if it was read along. */
  absorbPage(rows: PageRows, userId: string | undefined, origin: Origin): void {
    this.#absorbState(rows.state, origin);
    if (origin.sentTick <= this.#keepsAfter) return;
    if (userId !== undefined) this.#learn(rows, userId, origin);
    const run = absorb(this.#run, rows, rows.state.lastSeq);
    if (run !== this.#run) this.#setRun(run && trimKept(run, this.#limits.entries, this.#limits.bytes));
    this.#confirmHead(rows.state.lastSeq, origin);
  }

  #absorbState(state: ConversationState, origin: Origin): void {
    this.roster.observe(state.memberVersion, origin);
    if (!origin.primary || origin.sentTick <= this.#stateTick) return;
    this.#stateTick = origin.arrivedTick;
    this.#stateDropped = false;
    this.#state = state;
  }

  #confirmHead(lastSeq: number, origin: Origin): void {
    if (origin.primary && this.head !== undefined && this.head >= lastSeq) this.#headTick = Math.max(this.#headTick, origin.sentTick);
  }

  #learn(standing: Standing, userId: string, origin: Origin): void {
    if (!origin.primary) return;
    const before = this.roster.size;
    this.roster.learn(standing, userId);
    this.#resize((this.roster.size - before) * MEMBER_BYTES);
  }

  /** Pages are finished from the run alone, so none of them outlives its earliest expiry. */
  #expire(now: number): void {
    if (this.#run !== undefined && now >= this.#run.expiresAt) this.#setRun(expire(this.#run, now));
  }

  #setRun(run: KeptRun | undefined): void {
    let by = 0;
    for (const memo of this.#memos) by -= memo.page.bytes;
    for (const text of this.#run?.texts ?? []) by -= bytesOf(text);
    for (const text of run?.texts ?? []) by += bytesOf(text);
    this.#run = run;
    this.#memos = [];
    if (run === undefined) this.#headTick = 0;
    this.#resize(by);
  }

  #resize(by: number): void {
    if (by === 0) return;
    this.#bytes += by;
    this.#resized(by);
  }
}
