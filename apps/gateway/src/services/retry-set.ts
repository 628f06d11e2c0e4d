import type { Clock } from '@nudge/server-kit';

/** Things tried at a time. */
const perAttempt = 500;

export interface RetrySetOptions<Item> {
  readonly clock: Clock;
  /** Mean wait between two rounds, ms; each is jittered by half, since what many wait for comes back for all at once. */
  readonly retryMs: number;
  /** Answers whether it succeeded or nobody wants it any more. Does not reject. */
  readonly attempt: (item: Item) => Promise<boolean>;
}

/**
 * What failed and is to be tried until it succeeds or is deleted: one loop for all of it. A round begins with a single thing, since as long as that
 * fails the others would; it is another one each time, because what fails for one may succeed for others.
 */
export class RetrySet<Item> {
  readonly #options: RetrySetOptions<Item>;
  /** In the order in which they are tried. */
  readonly #items = new Set<Item>();
  readonly #tried = new Set<Item>();
  #cancel: (() => void) | undefined;
  #running = false;
  #stopped = false;

  constructor(options: RetrySetOptions<Item>) {
    this.#options = options;
  }

  get size(): number {
    return this.#items.size + this.#tried.size;
  }

  add(item: Item): void {
    if (this.#stopped) return;
    this.#items.add(item);
    this.#arm();
  }

  delete(item: Item): void {
    this.#tried.delete(item);
    if (this.#items.delete(item) && this.#items.size === 0) this.#disarm();
  }

  stop(): void {
    this.#stopped = true;
    this.#items.clear();
    this.#tried.clear();
    this.#disarm();
  }

  #arm(): void {
    if (this.#cancel !== undefined || this.#running || this.#items.size === 0) return;
    const { clock, retryMs } = this.#options;
    this.#cancel = clock.after(retryMs * (0.5 + Math.random()), () => {
      this.#cancel = undefined;
      this.#running = true;
      void this.#round().finally(() => {
        this.#running = false;
        this.#arm();
      });
    });
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #round(): Promise<void> {
    const [first] = this.#items;
    if (first === undefined || !(await this.#try([first]))) return;
    const rest = [...this.#items];
    for (let from = 0; from < rest.length; from += perAttempt) {
      const wanted = rest.slice(from, from + perAttempt).filter((item) => this.#items.has(item));
      if (wanted.length > 0 && !(await this.#try(wanted))) return;
    }
  }

  /** Answers whether any of them succeeded. What failed comes last from now on. */
  async #try(items: readonly Item[]): Promise<boolean> {
    // Out of the set meanwhile: what is deleted and added anew while it is tried is a new wish, which this outcome does not fulfil.
    for (const item of items) {
      this.#items.delete(item);
      this.#tried.add(item);
    }
    const outcomes = await Promise.all(items.map((item) => this.#options.attempt(item)));
    for (const [i, item] of items.entries()) if (this.#tried.delete(item) && outcomes[i] === false) this.#items.add(item);
    return outcomes.includes(true);
  }
}
