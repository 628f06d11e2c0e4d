import { type Bus, conversationTopic } from '@nudge/server-kit';
import type { MaintenanceStore, TouchedConversation } from '../../store/maintenance-store.ts';

/** Entries wiped by one call; conversations of one step of retention, and entries of each. */
const EXPIRED_PER_CALL = 200;
const RETAINED = { limit: 50, chunk: 500 };

export interface UpkeepOptions {
  readonly databases: readonly MaintenanceStore[];
  readonly bus: Pick<Bus, 'publish'>;
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

  /** Copies of the conversations held elsewhere are dropped. */
  async retain(signal: AbortSignal): Promise<void> {
    for (const store of this.#options.databases) {
      for (let more = true; more && !signal.aborted; ) {
        const step = await store.retainConversations(RETAINED);
        await this.#dropCopies(step.touched);
        more = step.more;
      }
    }
  }

  async #dropCopies(touched: readonly TouchedConversation[]): Promise<void> {
    if (touched.length === 0) return;
    await this.#options.bus.publish(
      touched.map(({ appId, conversationId, memberVersion, head }) => ({
        topic: conversationTopic(appId, conversationId),
        message: { kind: 'control', conversationId, memberVersion, head },
      })),
    );
  }
}
