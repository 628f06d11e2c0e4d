/** A conversation of which copies held elsewhere are out of date. */
export interface TouchedConversation {
  readonly appId: string;
  readonly conversationId: string;
  readonly memberVersion: number;
  readonly head: number;
}

/** One of which content was taken away; `outboxId`: the row that stands for dropping its copies. */
export interface RetainedConversation extends TouchedConversation {
  readonly outboxId: string;
}

/** What is done to conversations in the background, against one database. Every step may be repeated. */
export interface MaintenanceStore {
  /** Takes away what is behind entries whose time is over, at most `limit` of them. `more`: others may be due. */
  expireEntries(limit: number): Promise<{ readonly touched: readonly TouchedConversation[]; readonly more: boolean }>;
  /** One step of retention, of at most `chunk` entries, in at most `limit` conversations. `more`: another step is due. */
  retainConversations(bounds: {
    readonly limit: number;
    readonly chunk: number;
  }): Promise<{ readonly touched: readonly RetainedConversation[]; readonly more: boolean }>;
}
