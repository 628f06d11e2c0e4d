import type { ConversationType, History, Role } from '@nudge/types';

/** Who an input speaks for; which judgements each skips is written at the append function. */
type AppendMode = 'interactive' | 'scheduled' | 'on_behalf' | 'admin';

/** One change of a conversation, to be judged and appended. */
export interface AppendInput {
  readonly appId: string;
  readonly conversationId: string;
  /** The actor. */
  readonly senderId: string;
  readonly clientMsgId: string | null;
  readonly contentHash: Buffer | null;
  readonly type: 'message' | 'member.put' | 'member.remove';
  /** JSON text: a message's body, an operation's arguments. */
  readonly body: string | null;
  readonly targetSeq: number | null;
  readonly countable: boolean;
  readonly mode: AppendMode;
}

type AppendStatus =
  | 'ok'
  | 'duplicate'
  | 'conflict'
  | 'not_found'
  | 'not_member'
  | 'forbidden'
  | 'banned'
  | 'frozen'
  | 'muted'
  | 'slow_mode'
  | 'repeat'
  | 'unchanged'
  | 'last_owner';

/** What became of one input. Times are RFC 3339 with three decimals. */
export interface AppendResult {
  readonly status: AppendStatus;
  readonly seq: number | null;
  readonly createdAt: string | null;
  readonly memberVersion: number | null;
  readonly memberCount: number | null;
  readonly conversationType: string | null;
  readonly retryAt: string | null;
}

export interface AppendCall {
  /** Any conversation of the call: all of them lie in one database. */
  readonly route: string;
  readonly outboxId: string;
  readonly inputs: readonly AppendInput[];
}

export interface NewConversation {
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

export interface ConversationRow {
  readonly id: string;
  readonly appId: string;
  readonly type: ConversationType;
  readonly title: string | null;
  readonly metadata: Record<string, unknown> | null;
  readonly history: History;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly memberVersion: number;
  readonly memberCount: number;
  readonly lastSeq: number;
  readonly oldestSeq: number;
}

/** A conversation as one of its users stands to it; `current` is false for those who left or never were members. */
export interface Standing {
  readonly conversation: ConversationRow;
  readonly current: boolean;
}

export interface Creation extends Standing {
  readonly created: boolean;
  /** The creator had hidden this direct conversation and sees it again. */
  readonly shown: boolean;
}

export interface ReadInput {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
  readonly seq: number;
}

export interface ReadResult {
  readonly status: 'ok' | 'unchanged' | 'not_found';
  readonly readSeq: number;
  readonly unread: number;
}

export interface MemberPair {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
}

/** A membership as it now stands. `srcVersion` is the seq of the entry that last changed it. */
export interface MembershipState extends MemberPair {
  readonly srcVersion: number;
  readonly role: Role;
  readonly state: 'joined' | 'left';
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  readonly hiddenSeq: number | null;
}

export interface MemberListRow {
  readonly appId: string;
  readonly memberVersion: number;
  readonly users: readonly string[];
}

export interface MemberRow {
  readonly userId: string;
  readonly role: Role;
  readonly joinedSeq: number;
}

/** Work that a committed call left to do. */
export interface OutboxRow {
  readonly conversationId: string;
  readonly id: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly attempts: number;
}

/** A lock that one holder has at a time. */
export interface Lease extends AsyncDisposable {
  /** Aborts when it is lost, with the connection that carries it. */
  readonly lost: AbortSignal;
}

/** The statements of the conversation side against one database. Nothing here spans two databases. */
export interface ConversationStore {
  append(call: AppendCall): Promise<readonly AppendResult[]>;
  markRead(call: {
    readonly route: string;
    readonly outboxId: string;
    readonly inputs: readonly ReadInput[];
  }): Promise<readonly ReadResult[]>;
  create(conversation: NewConversation): Promise<Creation>;
  /** Hides a direct conversation from one of its two members; `null` when there is none to hide. */
  hideDirect(pair: MemberPair & { readonly outboxId: string }): Promise<{ readonly hiddenSeq: number } | null>;
  /** The conversation and the user's standing, from one snapshot; `null` when there is no such conversation in the app. */
  standing(pair: MemberPair): Promise<Standing | null>;
  /** Members and version in one statement. */
  memberList(conversationId: string): Promise<MemberListRow | null>;
  memberPage(conversationId: string, after: string | null, limit: number): Promise<readonly MemberRow[]>;
  membershipStates(pairs: readonly MemberPair[]): Promise<readonly MembershipState[]>;
  /** Memberships last changed by the entry `seq`, by user id. */
  membersChangedAt(conversationId: string, seq: number, after: string | null, limit: number): Promise<readonly MembershipState[]>;
  dueOutbox(olderThanMs: number, limit: number): Promise<readonly OutboxRow[]>;
  deleteOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void>;
  deferOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void>;
  /** `null` while another holds it. */
  sweeperLease(): Promise<Lease | null>;
}
