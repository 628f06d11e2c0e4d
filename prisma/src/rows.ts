export type ConversationType = 'direct' | 'group' | 'channel';
export type History = 'full' | 'since_join';
export type Role = 'owner' | 'moderator' | 'member';

/** A conversation as its row says. Times are RFC 3339 UTC with three decimals; `metadata` is JSON text. */
export interface ConversationRow {
  readonly id: string;
  readonly appId: string;
  readonly type: ConversationType;
  readonly title: string | null;
  readonly metadata: string | null;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly lastSeq: number;
  readonly messageCount: number;
  readonly memberCount: number;
  readonly memberVersion: number;
  readonly lastEntryAt: string;
  readonly frozenAt: string | null;
  readonly slowModeSeconds: number;
  readonly history: History;
  readonly oldestSeq: number;
  readonly avatarUrl: string | null;
  /** Entries older than this go; 0 = none do. */
  readonly retentionSeconds: number;
}

/** What a pull needs to know about a conversation. */
export type ConversationState = Pick<
  ConversationRow,
  'id' | 'appId' | 'type' | 'lastSeq' | 'oldestSeq' | 'history' | 'memberVersion' | 'memberCount' | 'messageCount'
>;

/** A membership as its row says; a former member keeps its row, with `leftSeq`. */
export interface MemberRow {
  readonly userId: string;
  readonly role: Role;
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  readonly readSeq: number;
  readonly readCount: number;
  readonly ownUnread: number;
  readonly deliveredSeq: number;
  readonly mutedUntil: string | null;
  /** Null while `banned` means for ever. A time that has passed is no ban. */
  readonly bannedUntil: string | null;
  /** Whether a ban was in force when the row was read. */
  readonly banned: boolean;
  readonly hiddenSeq: number | null;
  /** Seq of the entry that last changed this membership: the feed's src_version. */
  readonly changedSeq: number;
}

/** An entry as the wire shows it, encoded once and passed through. */
export interface EntryText {
  readonly seq: number;
  readonly text: string;
}
