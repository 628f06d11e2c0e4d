/**
 * Orders "a request arrived" against "a statement was sent" without looking at a clock: a statement whose tick is above the tick a
 * request saw on arrival was sent after it, so what it read on the primary is no older than the request.
 */
export class Ticks {
  #last = 0;

  /** The tick of what happened last. */
  now(): number {
    return this.#last;
  }

  /** A new tick, above every one handed out or seen before. */
  next(): number {
    this.#last += 1;
    return this.#last;
  }
}
