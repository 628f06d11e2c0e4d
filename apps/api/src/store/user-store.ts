import type { PresenceVisibility, SessionPolicy } from '@nudge/types';

/** A change of one subject in one user's feed. */
export interface FeedWrite {
  readonly appId: string;
  readonly userId: string;
  readonly subject: string;
  /** What orders changes of the subject; `null` = one above the previous. */
  readonly srcVersion: number | null;
  /** JSON text. */
  readonly state: string;
  /** Keep the other keys of the previous state; a null value removes its key. */
  readonly merge: boolean;
}

export interface UserUpsert {
  readonly id: string;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
}

/** A user as others see it. Times are RFC 3339 UTC with three decimals. */
export interface ProfileRow {
  readonly id: string;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly createdAt: string;
}

/** A user as its own devices see it. */
export interface OwnProfileRow extends ProfileRow {
  readonly presenceVisibility: PresenceVisibility;
}

/** `null` leaves a field as it is; `''` and `'{}'` clear it. */
export interface ProfileChange {
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly presenceVisibility: PresenceVisibility | null;
}

/** A user blocks another, or takes it back. */
export interface BlockChange {
  readonly appId: string;
  readonly userId: string;
  readonly otherId: string;
  readonly blocked: boolean;
  /** The pair's direct conversation, which need not exist: its outbox row is under it. */
  readonly conversationId: string;
  readonly outboxId: string;
  /** Users whom one user may block; above it nothing changes. */
  readonly bound: number;
}

/** The statements of the user and app side. */
export interface UserStore {
  /** Per write the feed's version afterwards, or `null` when it was there already. */
  applyFeed(writes: readonly FeedWrite[]): Promise<readonly (number | null)[]>;
  /** What the user's feed says of a subject, as JSON text. */
  feedState(appId: string, userId: string, subject: string): Promise<string | null>;
  /** Present version of a feed; 0 for a user without one. */
  feedVersion(appId: string, userId: string): Promise<number>;
  upsertUsers(appId: string, users: readonly UserUpsert[]): Promise<void>;
  unknownUsers(appId: string, userIds: readonly string[]): Promise<readonly string[]>;
  /** Users who are in `limit` conversations or more. */
  usersAtLimit(appId: string, userIds: readonly string[], limit: number): Promise<readonly string[]>;
  /** The app's secret for comparing contents; made on first use, the same for every instance from then on. */
  contentSecret(appId: string): Promise<string>;
  /** Custom types of the app that count as unread. */
  countableTypes(appId: string): Promise<readonly string[]>;
  setCountableTypes(appId: string, types: readonly string[]): Promise<void>;
  /** Null where the app has none. */
  sessionPolicy(appId: string): Promise<SessionPolicy | null>;
  /** An empty one takes the former away. */
  setSessionPolicy(appId: string, policy: SessionPolicy): Promise<void>;
  /** `null` when there is no such user. */
  ownProfile(appId: string, userId: string): Promise<OwnProfileRow | null>;
  changeProfile(appId: string, userId: string, change: ProfileChange): Promise<OwnProfileRow | null>;
  /** Profiles by id; unknown ids are left out. */
  profiles(appId: string, userIds: readonly string[]): Promise<readonly ProfileRow[]>;
  /** Unknown ids are left out. */
  presenceVisibility(appId: string, userIds: readonly string[]): Promise<ReadonlyMap<string, PresenceVisibility>>;
  /** Users whom this one blocks or is blocked by. */
  relatedByBlocks(appId: string, userId: string): Promise<ReadonlySet<string>>;
  isBlockedBy(appId: string, userId: string, otherId: string): Promise<boolean>;
  /** Whether anything changed; false also when one of the two is no user. */
  setBlock(change: BlockChange): Promise<boolean>;
  /** Users whom this one blocks, by id, after another. */
  blocks(appId: string, userId: string, after: string | null, limit: number): Promise<readonly string[]>;
}
