import { randomUUID } from 'node:crypto';
import { NudgeError, type Router } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { ConversationStore, ReadInput, ReadResult } from '../../store/conversation-store.ts';
import { Batcher, type CallFailure } from '../batching/batcher.ts';
import type { EffectRunner } from '../outbox/effects.ts';

interface Marked extends ReadResult {
  /** Resolves when the users' feeds have been written. */
  readonly applied?: Promise<void>;
}

export interface ReadPositionsOptions {
  readonly router: Router<ConversationStore>;
  readonly effects: EffectRunner;
  readonly classify: (error: unknown) => CallFailure;
  readonly limits: Pick<Limits, 'appendQueue'>;
  readonly maxBatch: number;
}

/** Moves read positions, many in one call, as the appender appends. Other devices of the user learn of it from the user's feed. */
export class ReadPositions {
  readonly #options: ReadPositionsOptions;
  readonly #batchers = new Map<string, Batcher<ReadInput, Marked>>();

  constructor(options: ReadPositionsOptions) {
    this.#options = options;
  }

  /** Where the position stands afterwards: never behind where it was, never past the head. Throws `not_found` for who is no member. */
  async mark(input: ReadInput): Promise<{ readSeq: number; unread: number }> {
    const { pool, group } = this.#options.router.route(input.conversationId);
    let batcher = this.#batchers.get(group);
    if (batcher === undefined) {
      batcher = this.#batcher(pool);
      this.#batchers.set(group, batcher);
    }
    const { status, readSeq, unread, applied } = await batcher.add(input);
    if (status === 'not_found') throw new NudgeError('not_found');
    await applied;
    return { readSeq, unread };
  }

  /** Resolves when every position given so far has been answered. */
  async idle(): Promise<void> {
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.idle()));
  }

  #batcher(store: ConversationStore): Batcher<ReadInput, Marked> {
    const { classify, limits, maxBatch } = this.#options;
    return new Batcher<ReadInput, Marked>({
      call: (inputs) => this.#call(store, inputs),
      appOf: (input) => input.appId,
      // An app that names another's conversation waits in a lane of its own, not in theirs.
      conversationOf: (input) => `${input.appId}/${input.conversationId}`,
      standsAlone: () => false,
      isRepeat: () => false,
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

  async #call(store: ConversationStore, inputs: readonly ReadInput[]): Promise<readonly Marked[]> {
    const route = inputs[0]?.conversationId ?? '';
    const outboxId = randomUUID();
    const results = await store.markRead({ route, outboxId, inputs });
    const reads = inputs.flatMap((input, index) => {
      const result = results[index];
      return result?.status === 'ok' ? [{ ...input, readSeq: result.readSeq }] : [];
    });
    if (reads.length === 0) return results;
    const applied = this.#options.effects.settle({ conversationId: route, id: outboxId }, { heads: [], reads });
    return results.map((result) => (result.status === 'ok' ? { ...result, applied } : result));
  }
}
