import type { Router } from '@nudge/server-kit';
import type { ConversationStore, MemberPair, MembershipState } from '../../store/conversation-store.ts';
import type { FeedWrite, UserStore } from '../../store/user-store.ts';
import type { FeedChange } from '../publisher/publisher.ts';

/** Feed rows written by one call. */
const ROWS_PER_CALL = 500;

export interface ReadPosition extends MemberPair {
  readonly readSeq: number;
}

export interface FeedWriterOptions {
  readonly router: Router<ConversationStore>;
  readonly users: UserStore;
}

/**
 * Mirrors what changed on the conversation's side into the feeds of the users it concerns. Every write is absolute and ordered by its
 * source, so doing it twice or late does no harm. Answers the versions that the users' devices are to be told.
 */
export class FeedWriter {
  readonly #router: Router<ConversationStore>;
  readonly #users: UserStore;

  constructor(options: FeedWriterOptions) {
    this.#router = options.router;
    this.#users = options.users;
  }

  /** The memberships as they now stand. All pairs lie in the database of the first. */
  async members(pairs: readonly MemberPair[]): Promise<FeedChange[]> {
    const first = pairs[0];
    if (first === undefined) return [];
    const states = await this.#router.route(first.conversationId).pool.membershipStates(pairs);
    return this.#write(states.map(membershipWrite));
  }

  /** The members that a conversation was created with, page by page. */
  async firstMembers(conversationId: string): Promise<FeedChange[]> {
    const store = this.#router.route(conversationId).pool;
    const changes: FeedChange[] = [];
    for (let after: string | null = null; ; ) {
      const page: readonly MembershipState[] = await store.membersChangedAt(conversationId, 1, after, ROWS_PER_CALL);
      changes.push(...(await this.#write(page.map(membershipWrite))));
      const last = page.at(-1);
      if (last === undefined || page.length < ROWS_PER_CALL) return changes;
      after = last.userId;
    }
  }

  reads(positions: readonly ReadPosition[]): Promise<FeedChange[]> {
    return this.#write(
      positions.map(({ appId, userId, conversationId, readSeq }) => ({
        appId,
        userId,
        subject: `read/${conversationId}`,
        srcVersion: readSeq,
        state: JSON.stringify({ readSeq }),
        merge: false,
      })),
    );
  }

  /** Whether these direct conversations are hidden, as it now stands. All pairs lie in the database of the first. */
  async hidden(pairs: readonly MemberPair[]): Promise<FeedChange[]> {
    const first = pairs[0];
    if (first === undefined) return [];
    const states = await this.#router.route(first.conversationId).pool.membershipStates(pairs);
    return this.#write(
      states.map(({ appId, userId, conversationId, hiddenSeq, hideVersion }) => ({
        appId,
        userId,
        subject: `pref/${conversationId}`,
        srcVersion: null,
        state: JSON.stringify({ hiddenSeq, hideVersion }),
        merge: true,
      })),
    );
  }

  async #write(writes: readonly FeedWrite[]): Promise<FeedChange[]> {
    const newest = new Map<string, FeedChange>();
    for (let start = 0; start < writes.length; start += ROWS_PER_CALL) {
      const part = writes.slice(start, start + ROWS_PER_CALL);
      const versions = await this.#users.applyFeed(part);
      for (const [index, { appId, userId }] of part.entries()) {
        // A row that was there already: whoever wrote it may have died before telling anybody.
        const version = versions[index] ?? (await this.#users.feedVersion(appId, userId));
        const known = newest.get(`${appId}/${userId}`);
        if (known === undefined || known.version < version) newest.set(`${appId}/${userId}`, { appId, userId, version });
      }
    }
    return [...newest.values()];
  }
}

function membershipWrite(membership: MembershipState): FeedWrite {
  const { appId, userId, conversationId, srcVersion, role, state, joinedSeq, leftSeq, mutedUntil } = membership;
  const shown = { role, state, joinedSeq, ...(leftSeq === null ? {} : { leftSeq }), ...(mutedUntil === null ? {} : { mutedUntil }) };
  return { appId, userId, subject: `member/${conversationId}`, srcVersion, state: JSON.stringify(shown), merge: false };
}
