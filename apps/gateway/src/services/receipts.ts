import { type BusMessage, userTopic } from '@nudge/server-kit';
import type { Relay } from './connection.ts';
import type { GatewayCounts } from './counts.ts';
import type { Hub } from './hub.ts';
import type { Relations } from './relations.ts';
import type { Watches } from './watches.ts';

type Receipt = Extract<BusMessage, { kind: 'receipt' }>;

export interface ReceiptOptions {
  readonly relay: Relay;
  readonly hub: Hub;
  readonly watches: Watches;
  readonly relations: Relations;
  readonly counts: GatewayCounts;
}

/**
 * Passes receipts of the bus on to those who watch the conversation here: members all of them, without the reader's own devices (which
 * learn of it from the feed) and without those between whom and the reader stands a block. One encoding, however many hear it.
 */
export class Receipts {
  readonly #options: ReceiptOptions;

  constructor(options: ReceiptOptions) {
    this.#options = options;
  }

  hear(topic: string, { userId, readSeq, deliveredSeq }: Receipt): void {
    const { relay, hub, watches, relations, counts } = this.#options;
    const watched = watches.reliable(topic);
    if (watched === undefined || !hub.sessions(topic).some((session) => session.userId !== userId)) return;
    const deaf = relations.deafHere(watched.appId, userId);
    if (deaf === undefined) return;
    counts.receiptsRelayed++;
    const receipt = {
      conversationId: watched.id,
      userId,
      ...(readSeq === undefined ? {} : { readSeq }),
      ...(deliveredSeq === undefined ? {} : { deliveredSeq }),
    };
    relay.emit(topic, 'receipt', receipt, { except: [userTopic(watched.appId, userId), ...deaf], local: true });
  }
}
