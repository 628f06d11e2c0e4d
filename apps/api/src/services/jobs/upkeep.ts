import type { MaintenanceStore } from '../../store/maintenance-store.ts';
import type { EffectRunner } from '../outbox/effects.ts';

/** Entries wiped by one call; conversations of one step of retention, and entries of each. */
const EXPIRED_PER_CALL = 200;
const RETAINED = { limit: 50, chunk: 500 };

export interface UpkeepOptions {
  readonly databases: readonly MaintenanceStore[];
  readonly effects: Pick<EffectRunner, 'settle'>;
}

/** Takes away for good what readers do not see any more: expired content, and what is older than a conversation keeps. */
export class Upkeep {
  readonly #options: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Nobody is told: whoever reads or holds an expiring entry knows its time. */
  async expire(signal: AbortSignal): Promise<void> {
    for (const store of this.#options.databases) {
      for (let more = true; more && !signal.aborted; ) {
        const step = await store.expireEntries(EXPIRED_PER_CALL);
        // Rows that stay locked are left for the next time.
        more = step.more && step.touched.length > 0;
      }
    }
  }

  /** Copies of the conversations held elsewhere are dropped, by the sweeper if the bus refuses it now. */
  async retain(signal: AbortSignal): Promise<void> {
    for (const store of this.#options.databases) {
      for (let more = true; more && !signal.aborted; ) {
        const step = await store.retainConversations(RETAINED);
        for (const { outboxId, ...stale } of step.touched) {
          await this.#options.effects.settle({ conversationId: stale.conversationId, id: outboxId }, { heads: [], copies: [stale] });
        }
        more = step.more;
      }
    }
  }
}
