/** Names a message that waits for its time. */
export interface ScheduledKey {
  readonly appId: string;
  readonly userId: string;
  readonly id: string;
}

/** A message that waits, as it will be appended. */
export interface NewScheduled extends ScheduledKey {
  readonly conversationId: string;
  readonly clientMsgId: string;
  readonly contentHash: Buffer;
  readonly type: string;
  /** JSON text. */
  readonly body: string;
  /** JSON text, as the append takes it. */
  readonly extra: string | null;
  readonly countable: boolean;
  /** RFC 3339. */
  readonly sendAt: string;
}

/** Times are RFC 3339 UTC with three decimals. */
export interface ScheduledRow extends NewScheduled {
  readonly createdAt: string;
  /** Why it was refused when its time came. */
  readonly failedCode: string | null;
}

/** A message that was taken to be sent. */
export interface TakenScheduled extends ScheduledRow {
  /** Names this taking. */
  readonly takenAt: string;
  /** Nobody else may still be sending it. */
  readonly alone: boolean;
  /** Its sender is banned from the app. */
  readonly senderBanned: boolean;
}

/** `exists`: the clientMsgId waits already, `same` content or not; `id` and `sendAt` are the first one's. */
export type ScheduleResult =
  | { readonly status: 'created' | 'exists'; readonly id: string; readonly sendAt: string; readonly same: boolean }
  | { readonly status: 'limit_reached' };

/** Messages that wait for their time. A row is the truth of one; it goes when the message has been sent. */
export interface ScheduledStore {
  /** With a bound of 0 it is only looked up: `limit_reached` says that it does not wait. */
  insert(message: NewScheduled, bound: number): Promise<ScheduleResult>;
  /** A user's, by id, from `fromId` on (inclusive; `null`: from the start), at most `limit`. */
  list(appId: string, userId: string, fromId: string | null, limit: number): Promise<readonly ScheduledRow[]>;
  /** Whether it was cancelled: false when there is none, or it has been taken. After true it is never sent. */
  cancel(key: ScheduledKey): Promise<boolean>;
  /** Takes a message to send it: from now on it cannot be cancelled. `null`: cancelled, sent or refused before. */
  take(key: ScheduledKey): Promise<TakenScheduled | null>;
  /** Lets go of one that was taken alone and is known not to have been sent: until it is taken again it can be cancelled. */
  release(key: ScheduledKey & Pick<TakenScheduled, 'takenAt'>): Promise<void>;
  /** Ends a message that was taken: sent (`null`), or refused with this code, under which its sender finds it. */
  finish(key: ScheduledKey, failedCode: string | null): Promise<void>;
  /** Messages that should have been sent at least so long ago, the longest due first, and that nobody has tried to send lately. */
  due(olderThanMs: number, limit: number): Promise<readonly ScheduledKey[]>;
}
