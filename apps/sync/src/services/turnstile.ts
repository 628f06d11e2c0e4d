interface Waiting {
  readonly enter: () => void;
}

/** Lets a bounded number through at a time, first come, first served: under a storm the first are done early instead of all late. */
export class Turnstile {
  readonly #places: number;
  readonly #queue = new Set<Waiting>();
  #inside = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** How many wait outside. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Runs `work` once a place is free. Whoever goes away while waiting gives up the place in the queue: rejects with the signal's reason. */
  async pass<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#inside < this.#places) this.#inside += 1;
    else await this.#wait(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { enter: resolve };
    const goAway = (): void => {
      if (this.#queue.delete(waiting)) reject(signal.reason);
    };
    this.#queue.add(waiting);
    signal.addEventListener('abort', goAway, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', goAway);
    }
  }

  /** A place goes straight to the next in the queue, so nobody can slip in between. */
  #leave(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#queue.delete(next);
    next.enter();
  }
}
