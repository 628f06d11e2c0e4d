/** A changed row of a user's feed. `state` is JSON text. */
export interface FeedRow {
  readonly subject: string;
  readonly version: number;
  readonly state: string;
}

/** A page of a user's feed in the order of versions. `version` is how far the feed goes. */
export interface FeedPage {
  readonly version: number;
  readonly rows: readonly FeedRow[];
  readonly more: boolean;
}

/** A page of an app's broadcasts. `entries` are JSON texts. */
export interface AppPage {
  readonly head: number;
  readonly entries: readonly string[];
  readonly more: boolean;
}

/** A conversation in its member's list. */
export interface HeadRow {
  readonly id: string;
  readonly type: 'direct' | 'group' | 'channel';
  readonly title: string | null;
  readonly avatarUrl: string | null;
  readonly frozen: boolean;
  readonly lastSeq: number;
  readonly lastEntryAt: string;
  readonly readSeq: number;
  readonly unread: number;
  readonly mentions: number;
  readonly memberVersion: number;
  readonly memberCount: number;
  readonly role: 'owner' | 'moderator' | 'member';
  readonly joinedSeq: number;
  readonly hidden: boolean;
  readonly lastMessage: LastMessage | null;
}

/** The newest message of a conversation that its member sees, as it now stands. */
export interface LastMessage {
  readonly seq: number;
  readonly senderId: string;
  readonly createdAt: string;
  readonly excerpt: string;
  readonly redacted?: true;
}

/** What is unread over all conversations of a user. */
export interface UnreadTotals {
  readonly total: number;
  readonly mentions: number;
}

/** Which heads: those with activity at or after `since`, from `before` on, newest first. Times are RFC 3339 in UTC. */
export interface HeadsRead {
  readonly appId: string;
  readonly userId: string;
  readonly since: string | undefined;
  readonly before: { readonly lastEntryAt: string; readonly id: string } | undefined;
  readonly limit: number;
}

/** The statements about one user rather than one conversation. All of them ask the primary. */
export interface UserStore {
  readFeed(appId: string, userId: string, after: number, limit: number): Promise<FeedPage>;
  readAppLog(appId: string, after: number, limit: number): Promise<AppPage>;
  readHeads(read: HeadsRead): Promise<readonly HeadRow[]>;
  countUnread(appId: string, userId: string): Promise<UnreadTotals>;
}
