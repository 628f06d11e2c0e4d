import { randomUUID } from 'node:crypto';
import { type Clock, NudgeError, type Router } from '@nudge/server-kit';
import type { Conversation, Limits, Member } from '@nudge/types';
import type { ConversationRow, ConversationStore, MemberRow } from '../../store/conversation-store.ts';
import type { UserStore } from '../../store/user-store.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import { type ConversationDraft, type ConversationRequest, draftConversation } from './draft.ts';
import type { UsersNamed } from './users-named.ts';

/** Up to this many first members have learned of a conversation when its creator is answered; more learn of it right after. */
const FEEDS_BEFORE_ANSWER = 100;

export interface ConversationsOptions {
  readonly router: Router<ConversationStore>;
  readonly effects: EffectRunner;
  readonly users: Pick<UserStore, 'isBlockedBy'>;
  readonly usersNamed: UsersNamed;
  readonly limits: Pick<Limits, 'metadataBytes' | 'pageEntries'>;
  readonly clock: Clock;
}

/** Creates conversations and shows them to their members. */
export class Conversations {
  readonly #options: ConversationsOptions;

  constructor(options: ConversationsOptions) {
    this.#options = options;
  }

  /** As `create`, for a creator that somebody else names: throws `user_unknown` when it does not exist. Blocks do not apply. */
  async createFor(
    appId: string,
    creatorId: string,
    request: ConversationRequest,
  ): Promise<{ created: boolean; conversation: Conversation }> {
    await this.#options.usersNamed.mustExist(appId, [creatorId]);
    return this.#create(appId, creatorId, draftConversation(appId, creatorId, request, this.#options.limits), false);
  }

  /**
   * Creates the conversation, or answers the one that the same request created before, which the creator sees again if it was hidden.
   * Throws `blocked` when it would bring a direct conversation with metadata to someone who blocks the creator.
   */
  async create(appId: string, creatorId: string, request: ConversationRequest): Promise<{ created: boolean; conversation: Conversation }> {
    return this.#create(appId, creatorId, draftConversation(appId, creatorId, request, this.#options.limits), true);
  }

  async #create(
    appId: string,
    creatorId: string,
    { derived, ...draft }: ConversationDraft,
    blocksApply: boolean,
  ): Promise<{ created: boolean; conversation: Conversation }> {
    const { router, effects, users, usersNamed } = this.#options;
    const store = router.route(draft.id).pool;
    // A repeated request must not fail for what has changed since the first: who exists already is not judged again.
    const exists = derived && (await store.standing({ appId, conversationId: draft.id, userId: creatorId })) !== null;
    if (!exists) {
      await usersNamed.mustExist(appId, draft.members);
      await usersNamed.mustHaveRoom(appId, [creatorId, ...draft.members]);
      const [other] = draft.members;
      if (blocksApply && draft.type === 'direct' && draft.metadata !== null && other !== undefined) {
        if (await users.isBlockedBy(appId, creatorId, other)) throw new NudgeError('blocked');
      }
    }
    const outboxId = randomUUID();
    const { created, conversation, current, shown } = await store.create({
      ...draft,
      appId,
      createdBy: creatorId,
      outboxId,
    });
    if (conversation.appId !== appId || !current) throw new NudgeError('not_found');
    // A block set before this was created found no conversation to mirror it to: whoever writes second sees what the other wrote.
    if (conversation.type === 'direct') await store.mirrorBlock({ appId, conversationId: conversation.id });
    if (created) {
      const { id, memberVersion, memberCount, lastSeq } = conversation;
      const applied = effects.settle(
        { conversationId: id, id: outboxId },
        {
          heads: [{ appId, conversationId: id, seq: lastSeq, memberVersion, copiesStale: false }],
          firstMembersOf: id,
        },
      );
      if (memberCount <= FEEDS_BEFORE_ANSWER) await applied;
    } else if (shown) {
      await effects.settle(
        { conversationId: conversation.id, id: outboxId },
        { heads: [], hidden: [{ appId, conversationId: conversation.id, userId: creatorId }] },
      );
    }
    return { created, conversation: view(conversation) };
  }

  /** The conversation as its member sees it; throws `not_found` for anybody else. */
  async get(appId: string, conversationId: string, userId: string): Promise<Conversation> {
    return view(await this.#standing(appId, conversationId, userId));
  }

  /** Current members by user id, after `cursor`. `version` is the one before the page was read: a copy is good if it has not moved. */
  async members(
    appId: string,
    conversationId: string,
    userId: string,
    page: { readonly cursor: string | undefined; readonly limit: number | undefined },
  ): Promise<{ items: Member[]; version: number; nextCursor: string | null }> {
    const { memberVersion } = await this.#standing(appId, conversationId, userId);
    const limit = page.limit ?? Math.min(50, this.#options.limits.pageEntries);
    const rows = await this.#options.router.route(conversationId).pool.memberPage(conversationId, page.cursor ?? null, limit + 1);
    const now = this.#options.clock.now();
    const items = rows.slice(0, limit).map((row) => member(row, now));
    return { items, version: memberVersion, nextCursor: rows.length > limit ? (items.at(-1)?.userId ?? null) : null };
  }

  async #standing(appId: string, conversationId: string, userId: string): Promise<ConversationRow> {
    const standing = await this.#options.router.route(conversationId).pool.standing({ appId, conversationId, userId });
    if (standing === null || !standing.current) throw new NudgeError('not_found');
    return standing.conversation;
  }
}

function view(row: ConversationRow): Conversation {
  const { id, type, title, avatarUrl, metadata, frozen, slowModeSeconds, retentionSeconds, history } = row;
  const { createdBy, createdAt, memberCount, lastSeq, oldestSeq } = row;
  return {
    id,
    type,
    title,
    avatarUrl,
    metadata,
    frozen,
    slowModeSeconds,
    retentionSeconds,
    history,
    createdBy,
    createdAt,
    memberCount,
    lastSeq,
    oldestSeq,
  };
}

/** `now` in ms since 1970. */
function member({ userId, role, joinedSeq, mutedUntil }: MemberRow, now: number): Member {
  return { userId, role, joinedSeq, ...(mutedUntil === null || Date.parse(mutedUntil) <= now ? {} : { mutedUntil }) };
}
