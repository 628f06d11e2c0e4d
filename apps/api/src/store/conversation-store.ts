import type { ConversationType, History, Role } from '@nudge/types';
import type { MaintenanceStore } from './maintenance-store.ts';

/** Who an input speaks for; which judgements each skips is written at the append function. */
export type AppendMode = 'interactive' | 'scheduled' | 'on_behalf' | 'admin';

/** One change of a conversation, to be judged and appended. */
export interface AppendInput {
  readonly appId: string;
  readonly conversationId: string;
  /** The actor. */
  readonly senderId: string;
  readonly clientMsgId: string | null;
  readonly contentHash: Buffer | null;
  /** `message`, `custom.*`, or one of the operations on entries, members and the conversation. */
  readonly type: string;
  /** JSON text: a message's body, an operation's arguments. */
  readonly body: string | null;
  /** JSON text: `{replyTo?, mentions?, expiresInSeconds?}` of a message, `{mentions?, ifStateSeq?}` of an edit. */
  readonly extra: string | null;
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
  | 'last_owner'
  | 'blocked'
  | 'target_missing'
  | 'target_invalid'
  | 'target_redacted'
  | 'state_changed'
  | 'reply_missing'
  | 'mention_stranger'
  | 'limit_reached';

/** What became of one input. Times are RFC 3339 with three decimals. */
export interface AppendResult {
  readonly status: AppendStatus;
  readonly seq: number | null;
  readonly createdAt: string | null;
  readonly memberVersion: number | null;
  readonly memberCount: number | null;
  readonly conversationType: string | null;
  /** With `slow_mode`: after how long the sender may send again, ms. */
  readonly retryInMs: number | null;
  /** Users whose membership changed: what their feeds say of it is out of date. */
  readonly touched: readonly string[];
}

/** An entry found by its sender's own id for it. */
export interface SentEntry {
  readonly seq: number;
  readonly createdAt: string;
  readonly contentHash: Buffer | null;
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
  readonly avatarUrl: string | null;
  readonly frozen: boolean;
  readonly slowModeSeconds: number;
  readonly retentionSeconds: number;
}

/** A conversation as one of its users stands to it; `current` is false for those who left or never were members. */
export interface Standing {
  readonly conversation: ConversationRow;
  readonly current: boolean;
  /** The user's role, last one when it is no member; `null` when it never was. */
  readonly role: Role | null;
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

export interface DeliveredResult {
  readonly status: 'ok' | 'unchanged' | 'not_found';
  readonly deliveredSeq: number;
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
  /** Orders the states of `hiddenSeq`. */
  readonly hideVersion: number;
  /** RFC 3339; `null` unless it lies ahead. */
  readonly mutedUntil: string | null;
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
  /** RFC 3339; may have passed. */
  readonly mutedUntil: string | null;
}

/** Somebody who is banned; `until` is `null` for ever. */
export interface BanRow {
  readonly userId: string;
  readonly until: string | null;
}

/** One entry of an app. */
export interface EntryKey {
  readonly appId: string;
  readonly conversationId: string;
  readonly seq: number;
}

/** What an entry once said, or says now. */
export interface VersionRow {
  /** The edit that replaced it; `null` for the present one. */
  readonly editSeq: number | null;
  readonly body: Record<string, unknown>;
  readonly mentions: readonly string[] | null;
  readonly writtenAt: string;
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
export interface ConversationStore extends MaintenanceStore {
  append(call: AppendCall): Promise<readonly AppendResult[]>;
  markRead(call: {
    readonly route: string;
    readonly outboxId: string;
    readonly inputs: readonly ReadInput[];
  }): Promise<readonly ReadResult[]>;
  /** The entry that a sender's own id stands for; `null` when there is none in the app. */
  sentEntry(key: {
    readonly appId: string;
    readonly conversationId: string;
    readonly senderId: string;
    readonly clientMsgId: string;
  }): Promise<SentEntry | null>;
  markDelivered(call: { readonly route: string; readonly inputs: readonly ReadInput[] }): Promise<readonly DeliveredResult[]>;
  /** Members by conversation, of those there are. */
  memberCounts(conversationIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  create(conversation: NewConversation): Promise<Creation>;
  /** Brings a direct conversation in line with who blocks whom; to be called after each creation of one. */
  mirrorBlock(target: { readonly appId: string; readonly conversationId: string }): Promise<void>;
  /** Hides a direct conversation from one of its two members; `null` when there is none to hide. */
  hideDirect(pair: MemberPair & { readonly outboxId: string }): Promise<{ readonly hiddenSeq: number } | null>;
  /** The conversation and the user's standing, from one snapshot; `null` when there is no such conversation in the app. */
  standing(pair: MemberPair): Promise<Standing | null>;
  /** Members and version in one statement. */
  memberList(conversationId: string): Promise<MemberListRow | null>;
  memberPage(conversationId: string, after: string | null, limit: number): Promise<readonly MemberRow[]>;
  /** Who is banned now, after a user id. */
  bans(conversationId: string, after: string | null, limit: number): Promise<readonly BanRow[]>;
  /** Oldest first; `null` when the app has no such entry. */
  /** Versions replaced by edits after `afterEditSeq`, oldest first; the present one ends the last page. `null`: no such entry. */
  versions(entry: EntryKey, afterEditSeq: number, limit: number): Promise<{ versions: readonly VersionRow[]; more: boolean } | null>;
  membershipStates(pairs: readonly MemberPair[]): Promise<readonly MembershipState[]>;
  /** Memberships last changed by the entry `seq`, by user id. */
  membersChangedAt(conversationId: string, seq: number, after: string | null, limit: number): Promise<readonly MembershipState[]>;
  dueOutbox(olderThanMs: number, limit: number): Promise<readonly OutboxRow[]>;
  deleteOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void>;
  deferOutbox(rows: readonly Pick<OutboxRow, 'conversationId' | 'id'>[]): Promise<void>;
  /** `null` while another holds it. */
  sweeperLease(): Promise<Lease | null>;
}
