/** Counts events of one session in windows of ten seconds: two numbers, no timer. */
export class RateWindow {
  #startedAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** Counts `cost` more and answers how many that makes in the present window. */
  count(now: number, cost = 1): number {
    if (now - this.#startedAt >= windowMs || now < this.#startedAt) {
      this.#startedAt = now;
      this.#count = 0;
    }
    this.#count += cost;
    return this.#count;
  }

  /** Until the window ends, ms. */
  remainingMs(now: number): number {
    return Math.max(0, this.#startedAt + windowMs - now);
  }
}

const windowMs = 10_000;
