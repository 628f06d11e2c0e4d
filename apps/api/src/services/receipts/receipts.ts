import { type Bus, type Clock, conversationTopic, type Logger, type Publication, type Router } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import { LRUCache } from 'lru-cache';
import type { ConversationStore } from '../../store/conversation-store.ts';

/** How far a member has read or received. What was read was delivered. */
export interface Receipt {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
  readonly readSeq?: number;
  readonly deliveredSeq?: number;
}

export interface ReceiptsOptions {
  readonly router: Router<Pick<ConversationStore, 'memberCounts'>>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly limits: Pick<Limits, 'receiptMembers'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'debug'>;
}

/** Receipts are gathered for so long, ms; of several of one member the newest goes. */
const GATHER_MS = 50;
/** Members with a receipt waiting; what comes above is lost, as any receipt may be. */
const MAX_WAITING = 10_000;
/** How long a number of members is believed, ms. */
const COUNT_MS = 10_000;
const COUNTS = 50_000;

/**
 * Tells those who watch a conversation how far others have read and received. In passing: nothing is kept, nobody waits for it, and in
 * conversations larger than `receiptMembers` nothing is told at all; there who wants to know asks.
 */
export class Receipts {
  readonly #options: ReceiptsOptions;
  readonly #counts = new LRUCache<string, { readonly members: number; readonly askedAt: number }>({ max: COUNTS });
  #waiting = new Map<string, Receipt>();
  #cancel: (() => void) | undefined;
  #publishing: Promise<void> | undefined;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  tell(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      const key = `${receipt.appId}/${receipt.conversationId}/${receipt.userId}`;
      const known = this.#waiting.get(key);
      if (known !== undefined) this.#waiting.set(key, newest(known, receipt));
      else if (this.#waiting.size < MAX_WAITING) this.#waiting.set(key, receipt);
    }
    this.#arm();
  }

  /** Publishes what waits; resolves when it is out, or lost. */
  async flush(): Promise<void> {
    await this.#publishing;
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#publish();
  }

  #arm(): void {
    if (this.#waiting.size === 0 || this.#publishing !== undefined) return;
    this.#cancel ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancel = undefined;
      this.#publishing = this.#publish().finally(() => {
        this.#publishing = undefined;
        this.#arm();
      });
    });
  }

  async #publish(): Promise<void> {
    const receipts = [...this.#waiting.values()];
    this.#waiting = new Map();
    if (receipts.length === 0) return;
    try {
      await this.#learnCounts(receipts);
      const publications = receipts.filter((receipt) => this.#isSmall(receipt)).map(publication);
      if (publications.length > 0) await this.#options.bus.publish(publications);
    } catch (error) {
      this.#options.log.debug({ err: error, receipts: receipts.length }, 'receipts were lost');
    }
  }

  #isSmall({ conversationId }: Receipt): boolean {
    const count = this.#counts.get(conversationId);
    return count !== undefined && count.members <= this.#options.limits.receiptMembers;
  }

  async #learnCounts(receipts: readonly Receipt[]): Promise<void> {
    const { router, clock } = this.#options;
    const askedAt = clock.now();
    const unknown = new Set<string>();
    for (const { conversationId } of receipts) {
      const count = this.#counts.get(conversationId);
      if (count === undefined || askedAt - count.askedAt > COUNT_MS) unknown.add(conversationId);
    }
    const groups = Map.groupBy(unknown, (conversationId) => router.route(conversationId).pool);
    const counts = await Promise.all([...groups].map(([store, ids]) => store.memberCounts(ids)));
    for (const found of counts) for (const [conversationId, members] of found) this.#counts.set(conversationId, { members, askedAt });
  }
}

function newest(one: Receipt, other: Receipt): Receipt {
  const readSeq = Math.max(one.readSeq ?? 0, other.readSeq ?? 0);
  const deliveredSeq = Math.max(one.deliveredSeq ?? 0, other.deliveredSeq ?? 0);
  return { ...other, ...(readSeq === 0 ? {} : { readSeq }), ...(deliveredSeq === 0 ? {} : { deliveredSeq }) };
}

function publication({ appId, conversationId, userId, readSeq, deliveredSeq }: Receipt): Publication {
  return {
    topic: conversationTopic(appId, conversationId),
    message: {
      kind: 'receipt',
      conversationId,
      userId,
      ...(readSeq === undefined ? {} : { readSeq }),
      ...(deliveredSeq === undefined ? {} : { deliveredSeq }),
    },
  };
}
