import type { Clock } from '@nudge/server-kit';
import type { PageRead, PageRows, PullStore } from '../store/pull-store.ts';
import { Batcher, type Ticket } from './batcher.ts';
import type { Origin } from './origin.ts';
import type { Replicas } from './replicas.ts';
import type { Ticks } from './ticks.ts';
import { pause } from './waiting.ts';

/** Rows and how they were read. `rows` is `undefined` where there is no such conversation. */
export interface Reading {
  readonly rows: PageRows | undefined;
  readonly origin: Origin;
}

/** Where a conversation is read. */
export interface Source {
  readonly primary: PullStore;
  readonly replicas: Replicas;
}

/** What a {@link PageReader} needs. */
export interface PageReaderOptions {
  readonly clock: Clock;
  readonly ticks: Ticks;
  /** How long a read waits for a replica to reach its floor before it asks the primary, ms. */
  readonly replicaPatienceMs: number;
  /** Pages read by one statement. */
  readonly pagesPerStatement: number;
  /** Statements under way per database server. */
  readonly statementsInFlight: number;
  /** A statement for single pages that takes longer is given up, ms. */
  readonly deadlineMs: number;
  readonly onReplicaFailure: (cause: unknown) => void;
}

type Ask = (store: PullStore, reads: readonly PageRead[]) => Promise<readonly Reading[]>;

const FIRST_RECHECK_MS = 5;
const MAX_RECHECK_MS = 50;

/**
 * Reads page rows from a state that has reached a floor: from a replica if one gets there in time, else from the primary, whose
 * answer is final whether or not it reaches the floor.
 */
export class PageReader {
  readonly #options: PageReaderOptions;
  readonly #lanes = new WeakMap<PullStore, Batcher<PageRead, Reading>>();

  constructor(options: PageReaderOptions) {
    this.#options = options;
  }

  /** One page from the primary, in one statement with whatever else is asked at the same time. */
  fromPrimary(source: Source, read: PageRead): Ticket<Reading> {
    return this.#lane(source.primary, true).ask(read);
  }

  /** One page from where `floor` is reached, in one statement with whatever else is asked there at the same time. */
  async one(source: Source, read: PageRead, floor: number, signal?: AbortSignal): Promise<Reading> {
    const [reading] = await this.#reach(source, [read], [floor], signal, (store, reads) =>
      Promise.all(reads.map((each) => this.#lane(store, store === source.primary).ask(each).answer)),
    );
    if (reading === undefined) throw new Error('a read without an answer');
    return reading;
  }

  /** Many pages by a statement of their own, so that they hold up nobody's single page. */
  many(source: Source, reads: readonly PageRead[], floors: readonly number[], signal?: AbortSignal): Promise<readonly Reading[]> {
    return this.#reach(source, reads, floors, signal, (store, some) =>
      this.#send(store, store === source.primary, some, this.#options.ticks.next()),
    );
  }

  async #reach(
    source: Source,
    reads: readonly PageRead[],
    floors: readonly number[],
    signal: AbortSignal | undefined,
    ask: Ask,
  ): Promise<Reading[]> {
    const { clock, replicaPatienceMs } = this.#options;
    const found = new Map<number, Reading>();
    let open = reads.map((read, index) => ({ read, index }));
    const giveUpAt = clock.now() + replicaPatienceMs;
    let recheck = FIRST_RECHECK_MS;
    for (let store = source.replicas.pick(); store !== undefined && open.length > 0; store = source.replicas.pick()) {
      const answers = await this.#tolerate(
        source,
        store,
        ask(
          store,
          open.map(({ read }) => read),
        ),
        giveUpAt,
      );
      open = open.filter(({ index }, place) => {
        const reading = answers?.[place];
        if (reading?.rows === undefined || reading.rows.state.lastSeq < (floors[index] ?? 0)) return true;
        found.set(index, reading);
        return false;
      });
      if (open.length === 0 || clock.now() + recheck > giveUpAt) break;
      if (answers !== undefined) await pause(clock, recheck, signal);
      signal?.throwIfAborted();
      recheck = Math.min(2 * recheck, MAX_RECHECK_MS);
    }
    if (open.length > 0) {
      const answers = await ask(
        source.primary,
        open.map(({ read }) => read),
      );
      open.forEach(({ index }, place) => {
        const reading = answers[place];
        if (reading !== undefined) found.set(index, reading);
      });
    }
    return reads.map((_, index) => {
      const reading = found.get(index);
      if (reading === undefined) throw new Error('a read without an answer');
      return reading;
    });
  }

  /** The answers, or `undefined` when the replica failed or took longer than the request has: either way it rests. */
  async #tolerate(
    source: Source,
    store: PullStore,
    work: Promise<readonly Reading[]>,
    giveUpAt: number,
  ): Promise<readonly Reading[] | undefined> {
    const { clock, onReplicaFailure } = this.#options;
    const { promise: deadline, resolve: timeIsUp } = Promise.withResolvers<undefined>();
    const cancel = clock.after(Math.max(1, giveUpAt - clock.now()), () => timeIsUp(undefined));
    try {
      const answers = await Promise.race([work, deadline]);
      if (answers === undefined) source.replicas.late(store);
      else source.replicas.answered(store);
      return answers;
    } catch (cause) {
      source.replicas.failed(store);
      onReplicaFailure(cause);
      return undefined;
    } finally {
      cancel();
    }
  }

  #lane(store: PullStore, primary: boolean): Batcher<PageRead, Reading> {
    let lane = this.#lanes.get(store);
    if (lane === undefined) {
      lane = new Batcher({
        send: (reads, tick) => this.#send(store, primary, reads, tick),
        tick: () => this.#options.ticks.next(),
        maxQuestions: this.#options.pagesPerStatement,
        maxInFlight: this.#options.statementsInFlight,
        clock: this.#options.clock,
        deadlineMs: this.#options.deadlineMs,
      });
      this.#lanes.set(store, lane);
    }
    return lane;
  }

  async #send(store: PullStore, primary: boolean, reads: readonly PageRead[], sentTick: number): Promise<readonly Reading[]> {
    const { clock, ticks } = this.#options;
    const sentAt = clock.now();
    const answers = await store.readPages(reads);
    const origin: Origin = { sentTick, arrivedTick: ticks.now(), sentAt, primary };
    return answers.map((rows) => ({ rows, origin }));
  }
}
