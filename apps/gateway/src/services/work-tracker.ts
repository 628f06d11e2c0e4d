/** Work that nobody awaits while it runs, so that a stop can wait for it. What is tracked must not reject. */
export class WorkTracker {
  readonly #running = new Set<Promise<void>>();

  readonly track = (work: Promise<void>): void => {
    const tracked = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  };

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
