import { performance } from 'node:perf_hooks';
import type { Clock } from '@nudge/server-kit';
import { GapController, type GapOptions } from './gap.ts';

/** What the coalescer and admission ask about the process's load. */
export interface Load {
  /** Gap between two pushes to the same session, ms. */
  readonly gapMs: number;
  /** Event-loop delay, smoothed, ms. */
  readonly delayMs: number;
}

/** Measures this process's event loop ten times a second and derives the gap from it. */
export class LoadMeter implements Load {
  readonly #clock: Clock;
  readonly #sampleMs: number;
  readonly #waiting: () => number;
  readonly #gap: GapController;
  #cancel: (() => void) | undefined;
  #last = performance.eventLoopUtilization();
  #delayMs = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly gap: GapOptions;
    readonly sampleMs?: number;
    readonly waiting: () => number;
  }) {
    this.#clock = options.clock;
    this.#sampleMs = options.sampleMs ?? 100;
    this.#waiting = options.waiting;
    this.#gap = new GapController(options.gap);
  }

  get gapMs(): number {
    return this.#gap.gapMs;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  start(): void {
    this.#last = performance.eventLoopUtilization();
    this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const armedAt = performance.now();
    this.#cancel = this.#clock.after(this.#sampleMs, () => {
      const late = Math.max(0, performance.now() - armedAt - this.#sampleMs);
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, this.#last);
      this.#last = now;
      this.#delayMs += (late - this.#delayMs) * 0.1;
      this.#gap.update({
        utilisation: utilization,
        delayMs: late,
        waiting: this.#waiting(),
      });
      this.#arm();
    });
  }
}
