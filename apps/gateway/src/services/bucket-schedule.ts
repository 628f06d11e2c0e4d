import type { Clock } from '@nudge/server-kit';

/**
 * Many deadlines on one timer. Items are grouped into buckets of `granularityMs`; a bucket is handed out whole, never early and at most
 * one granularity late. Nothing is armed while nothing is scheduled.
 */
export class BucketSchedule<Item> {
  readonly #clock: Clock;
  readonly #granularityMs: number;
  readonly #onDue: (items: Iterable<Item>) => void;
  readonly #buckets = new Map<number, Set<Item>>();
  /** Bucket numbers as a binary heap, the next one first. */
  readonly #order: number[] = [];
  #cancel: (() => void) | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, granularityMs: number, onDue: (items: Iterable<Item>) => void) {
    this.#clock = clock;
    this.#granularityMs = granularityMs;
    this.#onDue = onDue;
  }

  /** Hands out `item` at `at` (ms). An item may stand in several buckets. */
  add(item: Item, at: number): void {
    const number = Math.ceil(at / this.#granularityMs);
    const bucket = this.#buckets.get(number);
    if (bucket !== undefined) {
      bucket.add(item);
      return;
    }
    this.#buckets.set(number, new Set([item]));
    this.#push(number);
    this.#arm();
  }

  /** Takes back what was added with the same `at`. */
  remove(item: Item, at: number): void {
    this.#buckets.get(Math.ceil(at / this.#granularityMs))?.delete(item);
  }

  /** Items scheduled. */
  get size(): number {
    let size = 0;
    for (const bucket of this.#buckets.values()) size += bucket.size;
    return size;
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#buckets.clear();
    this.#order.length = 0;
  }

  #arm(): void {
    const next = this.#order[0];
    if (next === undefined || next >= this.#armedFor) return;
    this.#cancel?.();
    this.#armedFor = next;
    // A timer takes 31 bits; a deadline beyond that is armed again on the way.
    const wait = Math.min(Math.max(0, next * this.#granularityMs - this.#clock.now()), 2 ** 31 - 1);
    this.#cancel = this.#clock.after(wait, () => this.#run());
  }

  #run(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#cancel = undefined;
    const now = this.#clock.now();
    for (let next = this.#order[0]; next !== undefined && next * this.#granularityMs <= now; next = this.#order[0]) {
      this.#pop();
      const bucket = this.#buckets.get(next);
      this.#buckets.delete(next);
      if (bucket !== undefined && bucket.size > 0) this.#onDue(bucket);
    }
    this.#arm();
  }

  #push(number: number): void {
    const heap = this.#order;
    let at = heap.push(number) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as number;
      if (above <= number) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = number;
  }

  #pop(): void {
    const heap = this.#order;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as number) < (heap[child] as number)) child++;
      const below = heap[child] as number;
      if (below >= last) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
