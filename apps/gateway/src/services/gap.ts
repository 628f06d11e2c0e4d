/** What a gateway knows of its own load. */
export interface LoadSample {
  /** Share of the time the event loop was busy, 0 to 1. */
  readonly utilisation: number;
  /** How late a timer ran, ms. */
  readonly delayMs: number;
  /** Sessions that wait for their keys to be pushed. */
  readonly waiting: number;
}

/** How the gap follows the load. Times in ms. */
export interface GapOptions {
  /** The gap of a gateway that is full. */
  readonly maxMs: number;
  /** Load (0 to 1) up to which there is no gap, and from which it is `maxMs`. */
  readonly low: number;
  readonly high: number;
  /** Delay that counts as full load. */
  readonly fullDelayMs: number;
  /** Waiting sessions that count as full load. */
  readonly fullWaiting: number;
}

/**
 * Packets are what deliveries cost, and only fewer packets make them cheaper: the gap opens long before the loop is full, and is closed at the
 * loads at which latency is the only thing to gain.
 */
export const defaultGap: GapOptions = {
  maxMs: 400,
  low: 0.25,
  high: 0.7,
  fullDelayMs: 150,
  fullWaiting: 20_000,
};

/** How much of a new sample counts: rising fast (a backlog feeds itself), falling slowly (the relief is partly the gap's own work). */
const rise = 0.3;
const fall = 0.1;
/** Changes smaller than this share of `maxMs` are not followed, so that the gap does not tremble. */
const band = 0.02;

/**
 * The gap between two pushes to the same session, from samples of the load: 0 while the gateway idles, growing with the distance from `low`
 * to `maxMs`. Under load every session hears less often and pulls more at once, so the cost per message falls.
 */
export class GapController {
  readonly #options: GapOptions;
  #load = 0;
  #gapMs = 0;

  constructor(options: GapOptions) {
    this.#options = options;
  }

  /** ms */
  get gapMs(): number {
    return this.#gapMs;
  }

  /** Smoothed load, 0 to 1. */
  get load(): number {
    return this.#load;
  }

  update(sample: LoadSample): number {
    const { maxMs, low, high, fullDelayMs, fullWaiting } = this.#options;
    const now = Math.min(1, Math.max(sample.utilisation, sample.delayMs / fullDelayMs, sample.waiting / fullWaiting));
    this.#load += (now - this.#load) * (now > this.#load ? rise : fall);
    const share = Math.min(1, Math.max(0, (this.#load - low) / (high - low)));
    const target = maxMs * share;
    if (target === 0 || target === maxMs || Math.abs(target - this.#gapMs) >= maxMs * band) this.#gapMs = target;
    return this.#gapMs;
  }
}
