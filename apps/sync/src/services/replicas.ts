import type { Clock } from '@nudge/server-kit';
import type { PullStore } from '../store/pull-store.ts';

interface Replica {
  readonly store: PullStore;
  restsUntil: number;
  /** Times in a row that it did not answer in time. */
  late: number;
}

/** The replicas of one primary, taken in turn. One that failed rests for `restMs`, so that it costs one failure, not one a request. */
export class Replicas {
  readonly #clock: Clock;
  readonly #restMs: number;
  readonly #replicas: Replica[];
  #turn = 0;

  constructor(stores: readonly PullStore[], clock: Clock, restMs: number) {
    this.#clock = clock;
    this.#restMs = restMs;
    this.#replicas = stores.map((store) => ({ store, restsUntil: 0, late: 0 }));
  }

  /** Whether there are any, resting or not. */
  get exist(): boolean {
    return this.#replicas.length > 0;
  }

  /** The next one that is not resting. */
  pick(): PullStore | undefined {
    const now = this.#clock.now();
    for (let i = 0; i < this.#replicas.length; i += 1) {
      this.#turn = (this.#turn + 1) % this.#replicas.length;
      const replica = this.#replicas[this.#turn];
      if (replica !== undefined && replica.restsUntil <= now) return replica.store;
    }
    return undefined;
  }

  /** The replica answered, however far behind it is. */
  answered(store: PullStore): void {
    const replica = this.#of(store);
    if (replica !== undefined) replica.late = 0;
  }

  /** The replica failed. */
  failed(store: PullStore): void {
    this.#rest(store, this.#restMs);
  }

  /** The replica did not answer in time. A single late answer may be a new connection; one after another is a replica that hangs. */
  late(store: PullStore): void {
    const replica = this.#of(store);
    if (replica === undefined) return;
    this.#rest(store, Math.min(this.#restMs, (this.#restMs / FIRST_REST) * 2 ** replica.late));
    replica.late += 1;
  }

  #rest(store: PullStore, ms: number): void {
    const replica = this.#of(store);
    if (replica !== undefined) replica.restsUntil = this.#clock.now() + ms;
  }

  #of(store: PullStore): Replica | undefined {
    return this.#replicas.find((replica) => replica.store === store);
  }
}

/** The first rest of a late replica is this part of the full one. */
const FIRST_REST = 16;
