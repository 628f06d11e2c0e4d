/** How far a current member is. */
export interface Receipt {
  readonly userId: string;
  readonly readSeq: number;
  readonly deliveredSeq: number;
}

/** How many current members have read and received an entry. */
export interface ReceiptCounts {
  readonly readBy: number;
  readonly deliveredTo: number;
}

/** One user's reaction. All three together are a place in the list. `createdAt` is RFC 3339 with the three decimals that are stored. */
export interface ReactionOfUser {
  readonly emoji: string;
  readonly userId: string;
  readonly createdAt: string;
}

/** Which reactions to an entry: those with `emoji`, or all, behind `after`. */
export interface ReactionsRead {
  readonly conversationId: string;
  readonly seq: number;
  readonly emoji: string | undefined;
  readonly after: ReactionOfUser | undefined;
  readonly limit: number;
}

/** A pinned entry with its wire JSON as it now stands. */
export interface Pin {
  readonly seq: number;
  readonly pinnedBy: string;
  readonly pinnedAt: string;
  readonly text: string;
}

/** What hangs on the entries of one conversation. All of it asks the primary, and judges nobody: the caller has. */
export interface DetailStore {
  /** Receipts of the current members behind `afterUserId`, in the order of their ids; with `seq` of those who were members when it came. */
  readReceipts(
    conversationId: string,
    afterUserId: string | undefined,
    limit: number,
    seq: number | undefined,
  ): Promise<readonly Receipt[]>;
  /** Of those who were members when it came. */
  countReceipts(conversationId: string, seq: number, exceptUserId: string): Promise<ReceiptCounts>;
  readReactions(read: ReactionsRead): Promise<readonly ReactionOfUser[]>;
  /** The newest pin first. */
  readPins(conversationId: string): Promise<readonly Pin[]>;
}
