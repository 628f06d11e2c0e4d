import { randomUUID } from 'node:crypto';
import { type Clock, NudgeError, type Router } from '@nudge/server-kit';
import type { Ban, Limits, Role } from '@nudge/types';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { Appended, Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import type { Actor } from './actor.ts';
import type { Change } from './change.ts';
import type { UsersNamed } from './users-named.ts';

/** Operations of the append on one membership. */
type MemberOperation = 'member.put' | 'member.remove' | 'member.transfer' | 'member.mute' | 'member.ban' | 'member.unban';

export interface MembershipsOptions {
  readonly router: Router<ConversationStore>;
  readonly appender: Appender;
  readonly effects: EffectRunner;
  readonly usersNamed: UsersNamed;
  readonly limits: Pick<Limits, 'pageEntries'>;
  readonly clock: Clock;
}

/**
 * Adds, removes, ranks, mutes and bans members. The judgement is the append's; the feeds of those concerned are written before the caller
 * is answered.
 */
export class Memberships {
  readonly #options: MembershipsOptions;

  constructor(options: MembershipsOptions) {
    this.#options = options;
  }

  /** Adds the user, or gives the member another role. Throws `user_unknown`, `not_found`, `forbidden`, `last_owner`. */
  async put(actor: Actor, userId: string, role: Role | null): Promise<Change> {
    const { usersNamed } = this.#options;
    await usersNamed.mustExist(actor.appId, [userId]);
    await usersNamed.mustHaveRoom(actor.appId, [userId], async () => ((await this.#isMember(actor, userId)) ? [userId] : []));
    return this.#change(actor, 'member.put', userId, role === null ? {} : { role });
  }

  /** Removes another member. Throws `not_found`, `forbidden`, `last_owner`. */
  remove(actor: Actor, userId: string): Promise<Change> {
    return this.#change(actor, 'member.remove', userId);
  }

  /** Leaves; a direct conversation is hidden until it grows. Throws `not_found`, `last_owner`. */
  async leave(actor: Actor): Promise<Change> {
    const result = await this.#append(actor, 'member.remove', actor.userId);
    if (result.status !== 'forbidden' || result.conversationType !== 'direct') return this.#answer(result, 'member.remove');
    const { appId, userId, conversationId } = actor;
    const outboxId = randomUUID();
    const hidden = await this.#options.router.route(conversationId).pool.hideDirect({ appId, userId, conversationId, outboxId });
    if (hidden === null) return { seq: null, changed: false };
    await this.#options.effects.settle({ conversationId, id: outboxId }, { heads: [], hidden: [{ appId, conversationId, userId }] });
    return { seq: hidden.hiddenSeq, changed: true };
  }

  /** Makes another member owner and the actor moderator. Throws `user_unknown`, `not_found`, `forbidden`. */
  transfer(actor: Actor, userId: string): Promise<Change> {
    return this.#changeExisting(actor, 'member.transfer', userId);
  }

  /** Mutes a member, for ever without `seconds`. Throws `user_unknown`, `not_found`, `forbidden`. */
  mute(actor: Actor, userId: string, seconds: number | null): Promise<Change> {
    return this.#changeExisting(actor, 'member.mute', userId, { until: this.#end(seconds) ?? 'infinity' });
  }

  /** Throws `user_unknown`, `not_found`, `forbidden`. */
  unmute(actor: Actor, userId: string): Promise<Change> {
    return this.#changeExisting(actor, 'member.mute', userId, { until: null });
  }

  /** Bans a user, for ever without `seconds`; a member is removed. Throws `user_unknown`, `not_found`, `forbidden`, `last_owner`. */
  async ban(actor: Actor, userId: string, seconds: number | null): Promise<Change> {
    await this.#options.usersNamed.mustExist(actor.appId, [userId]);
    return this.#change(actor, 'member.ban', userId, { until: this.#end(seconds) });
  }

  /** Throws `user_unknown`, `not_found`, `forbidden`. */
  async unban(actor: Actor, userId: string): Promise<Change> {
    await this.#options.usersNamed.mustExist(actor.appId, [userId]);
    return this.#change(actor, 'member.unban', userId);
  }

  /** Who is banned, by user id, after `cursor`. Throws `not_found`, and `forbidden` for who moderates nothing here. */
  async bans(
    { appId, conversationId, userId }: Actor,
    page: { readonly cursor: string | undefined; readonly limit: number | undefined },
  ): Promise<{ items: Ban[]; nextCursor: string | null }> {
    const store = this.#options.router.route(conversationId).pool;
    const standing = await store.standing({ appId, conversationId, userId });
    if (standing === null || !standing.current) throw new NudgeError('not_found');
    if (standing.conversation.type === 'direct' || standing.role === 'member') throw new NudgeError('forbidden');
    const limit = page.limit ?? Math.min(50, this.#options.limits.pageEntries);
    const rows = await store.bans(conversationId, page.cursor ?? null, limit + 1);
    const items = rows.slice(0, limit).map((row) => ({ userId: row.userId, ...(row.until === null ? {} : { until: row.until }) }));
    return { items, nextCursor: rows.length > limit ? (items.at(-1)?.userId ?? null) : null };
  }

  async #isMember({ appId, conversationId }: Actor, userId: string): Promise<boolean> {
    const standing = await this.#options.router.route(conversationId).pool.standing({ appId, conversationId, userId });
    return standing?.current === true;
  }

  /** RFC 3339 so many seconds from now; `null` for without an end. */
  #end(seconds: number | null): string | null {
    return seconds === null ? null : new Date(this.#options.clock.now() + seconds * 1_000).toISOString();
  }

  /** An operation on a current member; who does not exist at all is told apart from who is no member only then. */
  async #changeExisting(actor: Actor, type: MemberOperation, userId: string, args?: object): Promise<Change> {
    const result = await this.#append(actor, type, userId, args);
    if (result.status === 'target_missing') {
      await this.#options.usersNamed.mustExist(actor.appId, [userId]);
      throw new NudgeError('not_found', { detail: 'The user named is no member of the conversation' });
    }
    return this.#answer(result, type);
  }

  async #change(actor: Actor, type: MemberOperation, userId: string, args?: object): Promise<Change> {
    return this.#answer(await this.#append(actor, type, userId, args), type);
  }

  #append({ appId, conversationId, userId, mode = 'interactive' }: Actor, type: MemberOperation, memberId: string, args: object = {}) {
    return this.#options.appender.append({
      appId,
      conversationId,
      senderId: userId,
      clientMsgId: null,
      contentHash: null,
      type,
      body: JSON.stringify({ userId: memberId, ...args }),
      extra: null,
      targetSeq: null,
      countable: false,
      mode,
      memberId,
    });
  }

  async #answer(result: Appended, type: MemberOperation): Promise<Change> {
    if (result.status === 'unchanged') return { seq: null, changed: false };
    if (result.status !== 'ok') throw refusal(result, type);
    await result.applied;
    return { seq: result.seq, changed: true };
  }
}
