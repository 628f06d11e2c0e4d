import type { Pool } from '../pool.ts';
import type { ConversationRow, ConversationType, History, MemberRow } from '../rows.ts';
import { run, runOne, type Statement } from '../statement.ts';
import { conversationColumns, memberColumns } from './columns.ts';

export interface NewConversation {
  /** UUIDv7, or the derived UUIDv8 of a direct pair or of a creator's key: it is the uniqueness constraint. */
  readonly id: string;
  readonly appId: string;
  readonly type: ConversationType;
  readonly createdBy: string;
  /** Without the creator. */
  readonly members: readonly string[];
  readonly title: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly history: History;
  readonly outboxId: string;
}

export interface CreatedConversation {
  /** False: it existed already. */
  readonly created: boolean;
  /** A direct conversation that its creator had hidden shows again: mirror it to the creator's feed. */
  readonly unhidden: boolean;
  readonly conversation: ConversationRow;
  /** The creator's membership; null when an existing conversation does not know the creator. */
  readonly member: MemberRow | null;
}

/**
 * Conversation, all member rows, first entry and outbox row in one transaction: function `create_conversation`.
 *
 * Locks: a concurrent creation of the same id waits on `conversation_pkey` until the first commits, then reads it.
 * Rejected: member rows one by one, or in chunks (10,000 members in one unnest take 130 ms).
 */
const create: Statement = {
  name: 'create_conversation',
  text: 'select status, unhidden from create_conversation($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9)',
};

/**
 * Index: `conversation_pkey`. Lock: `for key share`, which waits for no append and none waits for; it is there for the commit, which then waits
 * for a synchronous standby as that of the creation did, so that a creation asked for again is answered no earlier.
 */
const confirm: Statement = { name: 'confirm_conversation', text: 'select from conversation where id = $1 for key share' };

/** Index: `conversation_pkey`, `member_pkey`. No lock. */
const read: Statement = {
  name: 'conversation_of_user',
  text: `select ${conversationColumns} , case when m.user_id is null then null else true end as "isKnown",
      ${memberColumns}
    from conversation c left join member m on m.conversation_id = c.id and m.user_id = $2 and m.conversation_id = $1
    where c.id = $1`,
};

type ReadRow = ConversationRow & { isKnown: true | null } & MemberRow;

/**
 * Creates a conversation, or answers the one that has this id; null when the id belongs to another app.
 *
 * @throws {LockTimeout | DataError | DatabaseUnavailable | TransactionConflict}
 */
export async function createConversation(pool: Pool, input: NewConversation): Promise<CreatedConversation | null> {
  const { status, unhidden } = await runOne<{ status: string; unhidden: boolean }>(pool, create, [
    input.id,
    input.outboxId,
    input.appId,
    input.type,
    input.createdBy,
    input.members,
    input.title,
    input.metadata,
    input.history,
  ]);
  if (status === 'not_found') return null;
  if (status !== 'created') await run(pool, confirm, [input.id]);
  const found = await conversationOfUser(pool, input.id, input.createdBy);
  return found === null ? null : { created: status === 'created', unhidden, ...found };
}

/** A conversation with one user's membership, if any; null when there is no such conversation. The caller compares `appId`. */
export async function conversationOfUser(
  pool: Pool,
  conversationId: string,
  userId: string,
): Promise<{ conversation: ConversationRow; member: MemberRow | null } | null> {
  const [row] = await run<ReadRow & Record<string, unknown>>(pool, read, [conversationId, userId]);
  if (row === undefined) return null;
  const { isKnown, userId: memberId, role, joinedSeq, leftSeq, readSeq, readCount, ownUnread, deliveredSeq, ...rest } = row;
  const { mutedUntil, bannedUntil, banned, hiddenSeq, changedSeq, ...conversation } = rest;
  if (isKnown === null) return { conversation, member: null };
  const position = { joinedSeq, leftSeq, readSeq, readCount, ownUnread, deliveredSeq };
  return { conversation, member: { userId: memberId, role, ...position, mutedUntil, bannedUntil, banned, hiddenSeq, changedSeq } };
}
