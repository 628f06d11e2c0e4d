import { randomUUID } from 'node:crypto';
import type { Clock, Router } from '@nudge/server-kit';
import type { Role } from '@nudge/types';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { Appended, Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import type { UsersNamed } from './users-named.ts';

/** What a change of membership did: the seq of its entry, or that there was nothing to change. */
export interface MembershipChange {
  readonly seq: number | null;
  readonly changed: boolean;
}

/** Who acts, and where. */
export interface Actor {
  readonly appId: string;
  readonly userId: string;
  readonly conversationId: string;
}

export interface MembershipsOptions {
  readonly router: Router<ConversationStore>;
  readonly appender: Appender;
  readonly effects: EffectRunner;
  readonly usersNamed: UsersNamed;
  readonly clock: Clock;
}

/** Adds, removes and re-ranks members. The judgement is the append's; the member's feed is written before the caller is answered. */
export class Memberships {
  readonly #options: MembershipsOptions;

  constructor(options: MembershipsOptions) {
    this.#options = options;
  }

  /** Adds the user, or gives the member another role. Throws `user_unknown`, `not_found`, `forbidden`, `last_owner`. */
  async put(actor: Actor, userId: string, role: Role | null): Promise<MembershipChange> {
    const { usersNamed } = this.#options;
    await usersNamed.mustExist(actor.appId, [userId]);
    await usersNamed.mustHaveRoom(actor.appId, [userId], async () => ((await this.#isMember(actor, userId)) ? [userId] : []));
    const result = await this.#append(actor, 'member.put', userId, role === null ? { userId } : { userId, role });
    return this.#answer(result);
  }

  /** Removes another member. Throws `not_found`, `forbidden`. */
  async remove(actor: Actor, userId: string): Promise<MembershipChange> {
    return this.#answer(await this.#append(actor, 'member.remove', userId, { userId }));
  }

  /** Leaves; a direct conversation is hidden until it grows. Throws `not_found`, `last_owner`. */
  async leave(actor: Actor): Promise<MembershipChange> {
    const result = await this.#append(actor, 'member.remove', actor.userId, { userId: actor.userId });
    if (result.status !== 'forbidden' || result.conversationType !== 'direct') return this.#answer(result);
    const { appId, userId, conversationId } = actor;
    const outboxId = randomUUID();
    const hidden = await this.#options.router.route(conversationId).pool.hideDirect({ appId, userId, conversationId, outboxId });
    if (hidden === null) return { seq: null, changed: false };
    await this.#options.effects.settle({ conversationId, id: outboxId }, { heads: [], hidden: [{ appId, conversationId, userId }] });
    return { seq: hidden.hiddenSeq, changed: true };
  }

  async #isMember({ appId, conversationId }: Actor, userId: string): Promise<boolean> {
    const standing = await this.#options.router.route(conversationId).pool.standing({ appId, conversationId, userId });
    return standing?.current === true;
  }

  #append(actor: Actor, type: 'member.put' | 'member.remove', memberId: string, operation: object): Promise<Appended> {
    return this.#options.appender.append({
      appId: actor.appId,
      conversationId: actor.conversationId,
      senderId: actor.userId,
      clientMsgId: null,
      contentHash: null,
      type,
      body: JSON.stringify(operation),
      targetSeq: null,
      countable: false,
      mode: 'interactive',
      memberId,
    });
  }

  async #answer(result: Appended): Promise<MembershipChange> {
    if (result.status === 'unchanged') return { seq: null, changed: false };
    if (result.status !== 'ok') throw refusal(result, this.#options.clock.now());
    await result.applied;
    return { seq: result.seq, changed: true };
  }
}
