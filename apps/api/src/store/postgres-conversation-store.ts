import type * as db from '@nudge/db';
import {
  append,
  conversationOfUser,
  createConversation,
  deferOutbox,
  deleteOutbox,
  dueOutbox,
  hideDirect,
  markRead,
  memberList,
  memberPage,
  membersChangedAt,
  membershipFeed,
  type Pool,
  tryLease,
} from '@nudge/db';
import { NudgeError } from '@nudge/server-kit';
import type {
  AppendCall,
  AppendResult,
  ConversationRow,
  ConversationStore,
  Creation,
  Lease,
  MemberListRow,
  MemberPair,
  MemberRow,
  MembershipState,
  NewConversation,
  OutboxRow,
  ReadInput,
  ReadResult,
  Standing,
} from './conversation-store.ts';

/** The conversation side on one PostgreSQL. */
export class PostgresConversationStore implements ConversationStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  append(call: AppendCall): Promise<readonly AppendResult[]> {
    return append(this.#pool, call);
  }

  async markRead(call: {
    readonly route: string;
    readonly outboxId: string;
    readonly inputs: readonly ReadInput[];
  }): Promise<ReadResult[]> {
    const results = await markRead(this.#pool, call);
    return results.map(({ status, readSeq, unread }) => ({ status, readSeq: readSeq ?? 0, unread: unread ?? 0 }));
  }

  async create(conversation: NewConversation): Promise<Creation> {
    const found = await createConversation(this.#pool, conversation);
    if (found === null) throw new NudgeError('not_found');
    return { ...standing(found), created: found.created, shown: found.unhidden };
  }

  hideDirect(pair: MemberPair & { readonly outboxId: string }): Promise<{ readonly hiddenSeq: number } | null> {
    return hideDirect(this.#pool, { ...pair, route: pair.conversationId });
  }

  async standing({ appId, conversationId, userId }: MemberPair): Promise<Standing | null> {
    const found = await conversationOfUser(this.#pool, conversationId, userId);
    return found === null || found.conversation.appId !== appId ? null : standing(found);
  }

  memberList(conversationId: string): Promise<MemberListRow | null> {
    return memberList(this.#pool, conversationId);
  }

  memberPage(conversationId: string, after: string | null, limit: number): Promise<readonly MemberRow[]> {
    return memberPage(this.#pool, conversationId, after, limit);
  }

  membershipStates(pairs: readonly MemberPair[]): Promise<readonly MembershipState[]> {
    return membershipFeed(this.#pool, pairs);
  }

  membersChangedAt(conversationId: string, seq: number, after: string | null, limit: number): Promise<readonly MembershipState[]> {
    return membersChangedAt(this.#pool, conversationId, seq, after ?? '', limit);
  }

  dueOutbox(olderThanMs: number, limit: number): Promise<readonly OutboxRow[]> {
    return dueOutbox(this.#pool, { olderThanMs, limit });
  }

  async deleteOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void> {
    await deleteOutbox(this.#pool, rows);
  }

  deferOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void> {
    return deferOutbox(this.#pool, rows);
  }

  sweeperLease(): Promise<Lease | null> {
    return tryLease(this.#pool, 'outbox-sweeper');
  }
}

/** Who has left or is banned stands outside, like somebody who never was in. */
function standing(found: { conversation: db.ConversationRow; member: db.MemberRow | null }): Standing {
  const { conversation, member } = found;
  const banned = member?.bannedUntil !== null && member?.bannedUntil !== undefined && Date.parse(member.bannedUntil) > Date.now();
  return { conversation: withMetadata(conversation), current: member !== null && member.leftSeq === null && !banned };
}

function withMetadata(row: db.ConversationRow): ConversationRow {
  return { ...row, metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>) };
}
