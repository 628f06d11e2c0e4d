/** Latencies of one run, kept whole so that percentiles are exact. ms. */
export class Latencies {
  readonly #values: number[] = [];

  add(ms: number): void {
    this.#values.push(ms);
  }

  /** Percentiles in ms, rounded to 0.01. */
  summary(): { count: number; p50: number; p90: number; p99: number; max: number } {
    const sorted = Float64Array.from(this.#values).sort();
    const at = (share: number) => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100;
    return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }
}
