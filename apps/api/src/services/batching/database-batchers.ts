import type { Router } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import { Batcher, type BatcherOptions, type CallFailure } from './batcher.ts';

/** What an input of a batched call says of itself. */
interface Located {
  readonly appId: string;
  readonly conversationId: string;
}

export interface DatabaseBatchersOptions<Store, Input, Result>
  extends Pick<BatcherOptions<Input, Result>, 'standsAlone' | 'isRepeat' | 'maxBatch'> {
  readonly router: Router<Store>;
  readonly classify: (error: unknown) => CallFailure;
  readonly limits: Pick<Limits, 'appendQueue'>;
  readonly call: (store: Store, inputs: readonly Input[]) => Promise<readonly Result[]>;
}

/** One batcher for each database that holds conversations, made when the first input for it comes. At most two calls in flight for each. */
export class DatabaseBatchers<Store, Input extends Located, Result> {
  readonly #options: DatabaseBatchersOptions<Store, Input, Result>;
  readonly #batchers = new Map<string, Batcher<Input, Result>>();

  constructor(options: DatabaseBatchersOptions<Store, Input, Result>) {
    this.#options = options;
  }

  /** The input's own result. Rejects with `overloaded` or `database_unavailable`; after the latter the outcome is not known. */
  add(input: Input): Promise<Result> {
    const { pool, group } = this.#options.router.route(input.conversationId);
    let batcher = this.#batchers.get(group);
    if (batcher === undefined) {
      batcher = this.#batcher(pool);
      this.#batchers.set(group, batcher);
    }
    return batcher.add(input);
  }

  /** Inputs not answered yet. */
  get unanswered(): number {
    let sum = 0;
    for (const batcher of this.#batchers.values()) sum += batcher.unanswered;
    return sum;
  }

  /** Resolves when every input given so far has been answered. */
  async idle(): Promise<void> {
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.idle()));
  }

  #batcher(store: Store): Batcher<Input, Result> {
    const { classify, limits, maxBatch, standsAlone, isRepeat, call } = this.#options;
    return new Batcher<Input, Result>({
      call: (inputs) => call(store, inputs),
      appOf: (input) => input.appId,
      // An app that names another's conversation waits in a lane of its own, not in theirs.
      conversationOf: (input) => `${input.appId}/${input.conversationId}`,
      standsAlone,
      isRepeat,
      classify,
      maxBatch,
      maxInFlight: 2,
      worthwhile: 16,
      patienceMs: 25,
      now: () => performance.now(),
      capacity: limits.appendQueue,
      maxTimeouts: 3,
      defer: setImmediate,
    });
  }
}
