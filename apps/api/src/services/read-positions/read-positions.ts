import { randomUUID } from 'node:crypto';
import { NudgeError, type Router } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { ConversationStore, DeliveredResult, ReadInput, ReadResult } from '../../store/conversation-store.ts';
import type { CallFailure } from '../batching/batcher.ts';
import { DatabaseBatchers } from '../batching/database-batchers.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import type { Receipts } from '../receipts/receipts.ts';

interface Marked extends ReadResult {
  /** Resolves when the users' feeds have been written. */
  readonly applied?: Promise<void>;
}

export interface ReadPositionsOptions {
  readonly router: Router<ConversationStore>;
  readonly effects: EffectRunner;
  readonly receipts: Receipts;
  readonly classify: (error: unknown) => CallFailure;
  readonly limits: Pick<Limits, 'appendQueue'>;
  readonly maxBatch: number;
}

/**
 * Moves read and delivered positions, many in one call, as the appender appends. Other devices of the user learn of what was read from the
 * user's feed; others of the conversation hear of both in passing.
 */
export class ReadPositions {
  readonly #options: ReadPositionsOptions;
  readonly #read: DatabaseBatchers<ConversationStore, ReadInput, Marked>;
  readonly #delivered: DatabaseBatchers<ConversationStore, ReadInput, DeliveredResult>;

  constructor(options: ReadPositionsOptions) {
    this.#options = options;
    const common = { ...options, standsAlone: () => false, isRepeat: () => false };
    this.#read = new DatabaseBatchers({ ...common, call: (store, inputs) => this.#markRead(store, inputs) });
    this.#delivered = new DatabaseBatchers({ ...common, call: (store, inputs) => this.#markDelivered(store, inputs) });
  }

  /** Where the position stands afterwards: never behind where it was, never past the head. Throws `not_found` for who is no member. */
  async mark(input: ReadInput): Promise<{ readSeq: number; unread: number }> {
    const { status, readSeq, unread, applied } = await this.#read.add(input);
    if (status === 'not_found') throw new NudgeError('not_found');
    await applied;
    return { readSeq, unread };
  }

  /** Likewise for what a device of the user has received; what was read was delivered. Throws `not_found` for who is no member. */
  async markDelivered(input: ReadInput): Promise<{ deliveredSeq: number }> {
    const { status, deliveredSeq } = await this.#delivered.add(input);
    if (status === 'not_found') throw new NudgeError('not_found');
    return { deliveredSeq };
  }

  /** Resolves when every position given so far has been answered. */
  async idle(): Promise<void> {
    await Promise.all([this.#read.idle(), this.#delivered.idle()]);
  }

  async #markRead(store: ConversationStore, inputs: readonly ReadInput[]): Promise<readonly Marked[]> {
    const { effects, receipts } = this.#options;
    const route = inputs[0]?.conversationId ?? '';
    const outboxId = randomUUID();
    const results = await store.markRead({ route, outboxId, inputs });
    const reads = inputs.flatMap((input, index) => {
      const result = results[index];
      return result?.status === 'ok' ? [{ ...input, readSeq: result.readSeq }] : [];
    });
    if (reads.length === 0) return results;
    receipts.tell(reads);
    const applied = effects.settle({ conversationId: route, id: outboxId }, { heads: [], reads });
    return results.map((result) => (result.status === 'ok' ? { ...result, applied } : result));
  }

  async #markDelivered(store: ConversationStore, inputs: readonly ReadInput[]): Promise<readonly DeliveredResult[]> {
    const results = await store.markDelivered({ route: inputs[0]?.conversationId ?? '', inputs });
    const moved = inputs.flatMap((input, index) => {
      const result = results[index];
      return result?.status === 'ok' ? [{ ...input, deliveredSeq: result.deliveredSeq }] : [];
    });
    this.#options.receipts.tell(moved);
    return results;
  }
}
