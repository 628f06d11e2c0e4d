import type { TestDatabase } from '../../support/database.ts';

/** An entry as PostgreSQL has it, past every app. */
export interface TrueEntry {
  readonly seq: number;
  readonly type: string;
  readonly senderId: string;
  readonly clientMsgId: string | null;
  /** The seq that an acting entry changes. */
  readonly target: number | null;
  readonly body: Record<string, unknown> | null;
  /** Edited or redacted: the body is not what was sent. */
  readonly rewritten: boolean;
}

export interface TrueMember {
  readonly userId: string;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  readonly readSeq: number;
}

/** The log of a conversation, in order. */
export function trueLog(database: TestDatabase, conversationId: string): Promise<TrueEntry[]> {
  return database.query<TrueEntry>(
    `select seq::int as seq, type, sender_id as "senderId", client_msg_id as "clientMsgId", target_seq::int as target, body, edited_at is not null or redacted_at is not null as rewritten
       from entry where conversation_id = $1 order by seq`,
    [conversationId],
  );
}

/** Everyone who is or was a member. */
export function trueMembers(database: TestDatabase, conversationId: string): Promise<TrueMember[]> {
  return database.query<TrueMember>(
    `select user_id as "userId", joined_seq::int as "joinedSeq", left_seq::int as "leftSeq", read_seq::int as "readSeq"
       from member where conversation_id = $1 order by user_id`,
    [conversationId],
  );
}

/** Unread by counting: messages of others after the read position. */
export function naiveUnread(log: readonly TrueEntry[], member: TrueMember): number {
  return log.filter(({ seq, type, senderId }) => type === 'message' && seq > member.readSeq && senderId !== member.userId).length;
}

/** Members and roles by folding the log from its beginning. */
export function foldMembers(log: readonly { readonly type: string; readonly body: Record<string, unknown> | null }[]): Map<string, string> {
  const roles = new Map<string, string>();
  for (const { type, body } of log) {
    if (type === 'conversation.created') {
      roles.set(String(body?.by), 'owner');
      for (const userId of (body?.members ?? []) as string[]) roles.set(userId, 'member');
    } else if (type === 'member.joined' || type === 'member.updated') {
      if (typeof body?.role === 'string') roles.set(String(body.userId), body.role);
      if (body?.transfer === true) roles.set(String(body.userId), 'owner').set(String(body.by), 'moderator');
    } else if (type === 'member.left') {
      roles.delete(String(body?.userId));
    }
  }
  return roles;
}
