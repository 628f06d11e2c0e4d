/** A send that waits, already checked in its form and given its hash: at its time it is appended as it stands here. */
export interface ScheduledSend {
  readonly appId: string;
  readonly conversationId: string;
  readonly senderId: string;
  readonly clientMsgId: string;
  /** As of a send that does not wait: see `contentHash`. `sendAt` is part of what is hashed. */
  readonly contentHash: Buffer;
  /** `message` or `custom.*`. */
  readonly type: string;
  /** JSON text, canonical. */
  readonly body: string;
  /** JSON text `{replyTo?, mentions?, expiresInSeconds?}` as the append takes it, `null` without any. */
  readonly extra: string | null;
  readonly countable: boolean;
  /** When it is to be sent, as the client wrote it: RFC 3339 with any precision and offset. */
  readonly sendAt: string;
}

/** What is kept of a send that waits. `sendAt` is RFC 3339 UTC with three decimals. */
export interface Scheduled {
  readonly scheduledId: string;
  readonly sendAt: string;
}

/**
 * Keeps sends until their time. The same `clientMsgId` of the same sender and conversation again answers with the first one's id.
 *
 * Throws `invalid_request` (path `body.sendAt`) for a time in the past or too far ahead, `not_found` for who is no member of the
 * conversation, `client_msg_id_reused`, `limit_reached`.
 */
export interface Scheduler {
  schedule(send: ScheduledSend): Promise<Scheduled>;
}
