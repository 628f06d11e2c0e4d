import type { Clock } from '@nudge/server-kit';
import type { PullStore } from '../store/pull-store.ts';

interface Replica {
  readonly store: PullStore;
  restsUntil: number;
}

/** The replicas of one primary, taken in turn. One that failed rests for a while, so that it costs one failure, not one a request. */
export class Replicas {
  readonly #clock: Clock;
  readonly #restMs: number;
  readonly #replicas: Replica[];
  #turn = 0;

  constructor(stores: readonly PullStore[], clock: Clock, restMs: number) {
    this.#clock = clock;
    this.#restMs = restMs;
    this.#replicas = stores.map((store) => ({ store, restsUntil: 0 }));
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

  /** The replica failed or did not answer in time. */
  failed(store: PullStore): void {
    for (const replica of this.#replicas) {
      if (replica.store === store) replica.restsUntil = this.#clock.now() + this.#restMs;
    }
  }
}
