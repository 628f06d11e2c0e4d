import type { Router } from '@nudge/server-kit';
import type { Source } from './page-reader.ts';
import type { Tail } from './tail.ts';
import type { TailRefresher } from './tail-refresher.ts';
import type { Ticks } from './ticks.ts';

/** What a {@link Prefetcher} needs. */
export interface PrefetcherOptions {
  readonly router: Router<Source>;
  readonly refresher: TailRefresher;
  readonly ticks: Ticks;
}

/**
 * Reads what a key promises while the key is still on its way to the devices, so that their pulls find it in the tail. Once for each time
 * a tail was pulled from: where nobody pulls, or keys come faster than pulls, they cost nothing.
 */
export class Prefetcher {
  readonly #options: PrefetcherOptions;

  constructor(options: PrefetcherOptions) {
    this.#options = options;
  }

  /** The log of the conversation has reached `seq`. */
  hear(tail: Tail, seq: number): void {
    const { head } = tail;
    if (!tail.wanted || !tail.open || head === undefined || head >= seq) return;
    tail.wanted = false;
    void this.#read(tail, seq, head);
  }

  /** A failure is left to the pulls that follow: they ask again. */
  async #read(tail: Tail, seq: number, head: number): Promise<void> {
    const { router, refresher, ticks } = this.#options;
    const source = router.route(tail.id).pool;
    await refresher
      .refresh(source, tail, { seq, fresh: false, since: ticks.now() }, { after: head, repairs: false }, undefined)
      .landed.catch(() => undefined);
  }
}
