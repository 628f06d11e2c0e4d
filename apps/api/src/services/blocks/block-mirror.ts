import { type Bus, type Publication, type Router, userTopic } from '@nudge/server-kit';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { UserStore } from '../../store/user-store.ts';
import type { FeedChange } from '../publisher/publisher.ts';

/** A user blocks another, or no longer does; `conversationId`: the pair's direct conversation, which need not exist. */
export interface BlockPair {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
  readonly otherId: string;
}

export interface BlockMirrorOptions {
  readonly router: Router<Pick<ConversationStore, 'mirrorBlock'>>;
  readonly users: Pick<UserStore, 'feedVersion'>;
  readonly bus: Pick<Bus, 'publish'>;
}

/** Brings in line with the blocks what depends on them. Every step is absolute, so doing it twice or late does no harm. */
export class BlockMirror {
  readonly #options: BlockMirrorOptions;

  constructor(options: BlockMirrorOptions) {
    this.#options = options;
  }

  /** What follows from blocks that have been committed. Answers the feed versions that the blockers' devices are to be told. */
  async changed(pairs: readonly BlockPair[]): Promise<FeedChange[]> {
    const changes = await Promise.all(
      pairs.map(async ({ appId, conversationId, userId }) => {
        await this.created(appId, conversationId);
        return { appId, userId, version: await this.#options.users.feedVersion(appId, userId) };
      }),
    );
    await this.#options.bus.publish(pairs.flatMap(({ appId, userId, otherId }) => [told(appId, userId), told(appId, otherId)]));
    return changes;
  }

  /** A conversation was created: one of two who block each other may have made it. Nothing happens to any other. */
  async created(appId: string, conversationId: string): Promise<void> {
    await this.#options.router.route(conversationId).pool.mirrorBlock({ appId, conversationId });
  }
}

/** Gateways read again what stands between the user and others. */
function told(appId: string, userId: string): Publication {
  return { topic: userTopic(appId, userId), message: { kind: 'user' } };
}
