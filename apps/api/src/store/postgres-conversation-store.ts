import type * as db from '@nudge/db';
import {
  append,
  banList,
  conversationOfUser,
  conversationStates,
  createConversation,
  deferOutbox,
  deleteOutbox,
  dueOutbox,
  entryVersions,
  expireEntries,
  hideDirect,
  markDelivered,
  markRead,
  memberList,
  memberPage,
  membersChangedAt,
  membershipFeed,
  mirrorBlock,
  type Pool,
  retainConversations,
  tryLease,
} from '@nudge/db';
import { NudgeError } from '@nudge/server-kit';
import type {
  AppendCall,
  AppendResult,
  BanRow,
  ConversationRow,
  ConversationStore,
  Creation,
  DeliveredResult,
  EntryKey,
  Lease,
  MemberListRow,
  MemberPair,
  MemberRow,
  MembershipState,
  NewConversation,
  OutboxRow,
  ReadInput,
  ReadResult,
  SentEntry,
  Standing,
  VersionRow,
} from './conversation-store.ts';
import type { RetainedConversation, TouchedConversation } from './maintenance-store.ts';
import { sentEntry } from './sent-entry.ts';

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

  async markDelivered(call: { readonly route: string; readonly inputs: readonly ReadInput[] }): Promise<DeliveredResult[]> {
    const results = await markDelivered(this.#pool, call);
    return results.map(({ status, deliveredSeq }) => ({ status, deliveredSeq: deliveredSeq ?? 0 }));
  }

  async memberCounts(conversationIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const states = await conversationStates(this.#pool, conversationIds);
    return new Map(states.map((state) => [state.id, state.memberCount]));
  }

  sentEntry(key: { appId: string; conversationId: string; senderId: string; clientMsgId: string }): Promise<SentEntry | null> {
    return sentEntry(this.#pool, key);
  }

  async create(conversation: NewConversation): Promise<Creation> {
    const found = await createConversation(this.#pool, conversation);
    if (found === null) throw new NudgeError('not_found');
    return { ...standing(found), created: found.created, shown: found.unhidden };
  }

  async mirrorBlock(target: { readonly appId: string; readonly conversationId: string }): Promise<void> {
    await mirrorBlock(this.#pool, target);
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

  async bans(conversationId: string, after: string | null, limit: number): Promise<BanRow[]> {
    const rows = await banList(this.#pool, conversationId, after, limit);
    return rows.map(({ userId, bannedUntil }) => ({ userId, until: bannedUntil }));
  }

  async versions(entry: EntryKey, afterEditSeq: number, limit: number) {
    const page = await entryVersions(this.#pool, entry, afterEditSeq, limit);
    if (page === null) return null;
    const versions: VersionRow[] = page.versions.flatMap(({ editSeq, body, mentions, writtenAt }) =>
      body === null ? [] : [{ editSeq, body: JSON.parse(body) as Record<string, unknown>, mentions, writtenAt }],
    );
    return { versions, more: page.more };
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

  expireEntries(limit: number): Promise<{ touched: TouchedConversation[]; more: boolean }> {
    return expireEntries(this.#pool, limit);
  }

  retainConversations(bounds: {
    readonly limit: number;
    readonly chunk: number;
  }): Promise<{ touched: RetainedConversation[]; more: boolean }> {
    return retainConversations(this.#pool, bounds);
  }

  sweeperLease(): Promise<Lease | null> {
    return tryLease(this.#pool, 'outbox-sweeper');
  }
}

/** Who has left or is banned stands outside, like somebody who never was in. */
function standing({ conversation, member }: { conversation: db.ConversationRow; member: db.MemberRow | null }): Standing {
  return {
    conversation: conversationRow(conversation),
    current: member !== null && member.leftSeq === null && !member.banned,
    role: member?.role ?? null,
  };
}

function conversationRow({ metadata, frozenAt, ...row }: db.ConversationRow): ConversationRow {
  return { ...row, frozen: frozenAt !== null, metadata: metadata === null ? null : (JSON.parse(metadata) as Record<string, unknown>) };
}
