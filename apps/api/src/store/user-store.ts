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

/** The statements of the user and app side. */
export interface UserStore {
  /** Per write the feed's version afterwards, or `null` when it was there already. */
  applyFeed(writes: readonly FeedWrite[]): Promise<readonly (number | null)[]>;
  /** Present version of a feed; 0 for a user without one. */
  feedVersion(appId: string, userId: string): Promise<number>;
  upsertUsers(appId: string, users: readonly UserUpsert[]): Promise<void>;
  unknownUsers(appId: string, userIds: readonly string[]): Promise<readonly string[]>;
  /** Users who are in `limit` conversations or more. */
  usersAtLimit(appId: string, userIds: readonly string[], limit: number): Promise<readonly string[]>;
  /** The app's secret for comparing contents; made on first use, the same for every instance from then on. */
  contentSecret(appId: string): Promise<string>;
}
