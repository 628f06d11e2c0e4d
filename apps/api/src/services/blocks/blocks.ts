import { randomUUID } from 'node:crypto';
import { NudgeError } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { UserStore } from '../../store/user-store.ts';
import { directConversationId } from '../conversations/conversation-id.ts';
import type { UsersNamed } from '../conversations/users-named.ts';
import type { EffectRunner } from '../outbox/effects.ts';

export interface BlocksOptions {
  readonly users: Pick<UserStore, 'setBlock' | 'blocks'>;
  readonly usersNamed: UsersNamed;
  readonly effects: EffectRunner;
  readonly limits: Pick<Limits, 'blocksPerUser' | 'pageEntries'>;
}

/** Users block users. */
export class Blocks {
  readonly #options: BlocksOptions;

  constructor(options: BlocksOptions) {
    this.#options = options;
  }

  /** Users whom this one blocks, by id, after `cursor`. */
  async list(
    appId: string,
    userId: string,
    page: { readonly cursor: string | undefined; readonly limit: number | undefined },
  ): Promise<{ items: { userId: string }[]; nextCursor: string | null }> {
    const limit = page.limit ?? Math.min(50, this.#options.limits.pageEntries);
    const ids = await this.#options.users.blocks(appId, userId, page.cursor ?? null, limit + 1);
    const items = ids.slice(0, limit).map((id) => ({ userId: id }));
    return { items, nextCursor: ids.length > limit ? (items.at(-1)?.userId ?? null) : null };
  }

  /** Whether anything changed. Throws `invalid_request` for oneself, `user_unknown`, `limit_reached`. */
  async block(appId: string, userId: string, otherId: string): Promise<boolean> {
    if (userId === otherId) {
      const message = 'nobody blocks oneself';
      throw new NudgeError('invalid_request', { detail: message, issues: [{ path: 'params.userId', message }] });
    }
    const { users, usersNamed, limits } = this.#options;
    await usersNamed.mustExist(appId, [otherId]);
    for (;;) {
      if (await this.#set(appId, userId, otherId, true)) return true;
      const blocked = await users.blocks(appId, userId, null, limits.blocksPerUser);
      if (blocked.includes(otherId)) return false;
      if (blocked.length >= limits.blocksPerUser) {
        throw new NudgeError('limit_reached', { detail: `${limits.blocksPerUser} users are blocked already (blocksPerUser)` });
      }
      // It stood so and was taken back in between.
    }
  }

  /** Whether anything changed. Throws `user_unknown`. */
  async unblock(appId: string, userId: string, otherId: string): Promise<boolean> {
    await this.#options.usersNamed.mustExist(appId, [otherId]);
    return this.#set(appId, userId, otherId, false);
  }

  /** Resolves when the pair's direct conversation obeys it. */
  async #set(appId: string, userId: string, otherId: string, blocked: boolean): Promise<boolean> {
    const { users, effects, limits } = this.#options;
    const conversationId = directConversationId(appId, userId, otherId);
    const outboxId = randomUUID();
    const changed = await users.setBlock({ appId, userId, otherId, blocked, conversationId, outboxId, bound: limits.blocksPerUser });
    if (!changed) return false;
    await effects.settle({ conversationId, id: outboxId }, { heads: [], blocks: [{ appId, conversationId, userId, otherId }] });
    return true;
  }
}
