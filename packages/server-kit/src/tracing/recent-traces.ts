import { LRUCache } from 'lru-cache';
import type { TraceParent } from './tracer.ts';

/** In what trace the newest entries of logs came about. */
export class RecentTraces {
  readonly #byLog: LRUCache<string, { readonly seq: number; readonly parent: TraceParent }>;

  /** @param max logs remembered: those that grew last */
  constructor(max = 10_000) {
    this.#byLog = new LRUCache({ max });
  }

  remember(log: string, seq: number, parent: TraceParent): void {
    const known = this.#byLog.get(log);
    if (known === undefined || known.seq <= seq) this.#byLog.set(log, { seq, parent });
  }

  recall(log: string, seq: number): TraceParent | undefined {
    const known = this.#byLog.get(log);
    return known?.seq === seq ? known.parent : undefined;
  }
}
