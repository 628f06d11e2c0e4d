import { z } from 'zod';
import { conversationTypeSchema, roleSchema } from './conversation.ts';
import { entrySchema } from './entry.ts';
import { errorCodes } from './errors.ts';
import { conversationIdSchema, senderIdSchema, seqSchema, timestampSchema } from './ids.ts';
import type { Limits } from './limits.ts';

/** Generation of the database. When it differs from the one stored, the client drops its cursors and starts over. */
export const epochSchema = z.int().min(1).meta({ id: 'Epoch' });

/** What differs by viewer, beside the shared text: the viewer's own reactions by seq. */
export const mineSchema = z.record(z.string(), z.array(z.string())).meta({ id: 'Mine' });

/** A page of one conversation: ascending, complete between its bounds. `more`: there is more in the direction asked for. */
export const entriesPageSchema = z
  .strictObject({
    epoch: epochSchema,
    entries: z.array(entrySchema),
    mine: mineSchema,
    head: seqSchema,
    oldestSeq: seqSchema,
    more: z.boolean(),
  })
  .meta({ id: 'EntriesPage' });
export type EntriesPage = z.infer<typeof entriesPageSchema>;

/** The cursor was too far behind or below what is visible: keep the old range, start a new one at `snapshotSeq`. */
export const tooLongSchema = z.strictObject({ snapshotSeq: seqSchema, oldestSeq: seqSchema }).meta({ id: 'TooLong' });

/** What one conversation answers in `POST /v1/sync`. */
export const conversationDeltaSchema = z
  .union([
    z.strictObject({
      entries: z.array(entrySchema),
      mine: mineSchema,
      head: seqSchema,
      oldestSeq: seqSchema,
      more: z.boolean(),
      tooLong: tooLongSchema.optional(),
    }),
    z.strictObject({
      error: z.strictObject({ code: z.enum(errorCodes), retryable: z.boolean(), retryAfterMs: z.int().optional() }),
    }),
  ])
  .meta({ id: 'ConversationDelta' });
export type ConversationDelta = z.infer<typeof conversationDeltaSchema>;

/**
 * A change in the user's own feed; `state` is absolute. Subjects: `member/<conversationId>` `{role, state, joinedSeq, leftSeq?, mutedUntil?}`,
 * `read/<conversationId>` `{readSeq}`, `pref/<conversationId>` (see `Preferences`), `block/<userId>` `{blocked}`,
 * `notice/<noticeId>` `{body}`, null once dismissed.
 */
export const feedItemSchema = z
  .strictObject({ subject: z.string(), version: seqSchema, state: z.record(z.string(), z.unknown()) })
  .meta({ id: 'FeedItem' });
export type FeedItem = z.infer<typeof feedItemSchema>;

/** One conversation in the viewer's list, newest activity first. `unread` is exact. */
export const headSchema = z
  .strictObject({
    id: conversationIdSchema,
    type: conversationTypeSchema,
    title: z.string().nullable(),
    avatarUrl: z.string().nullable(),
    frozen: z.boolean(),
    lastSeq: seqSchema,
    lastEntryAt: timestampSchema,
    readSeq: seqSchema,
    unread: z.int().min(0),
    /** Unread messages that mention the viewer. */
    mentions: z.int().min(0),
    memberCount: z.int(),
    /** Own membership; `hidden` marks a direct conversation its viewer left and in which nothing that counts as unread has come since. */
    member: z.strictObject({ role: roleSchema, joinedSeq: seqSchema, hidden: z.boolean() }),
    /** Newest message as it now stands, for a list. `excerpt` is the start of its text. */
    lastMessage: z
      .strictObject({
        seq: seqSchema,
        senderId: senderIdSchema,
        createdAt: timestampSchema,
        excerpt: z.string(),
        redacted: z.literal(true).nullish(),
      })
      .nullable(),
    /** Membership version: a member list read at this version is current. */
    version: z.int(),
  })
  .meta({ id: 'Head' });
export type Head = z.infer<typeof headSchema>;

/** A page of heads; ask again with `cursor: nextCursor` until it is absent. */
export const headsPageSchema = z
  .strictObject({ epoch: epochSchema, items: z.array(headSchema), nextCursor: z.string().nullish(), serverTime: timestampSchema })
  .meta({ id: 'HeadsPage' });
export type HeadsPage = z.infer<typeof headsPageSchema>;

/** `POST /v1/sync`: everything missed, over many logs, in one round trip. */
export const syncRequestSchema = (limits: Limits) =>
  z
    .strictObject({
      feed: z.strictObject({ after: seqSchema, min: seqSchema.nullish() }).nullish(),
      app: z.strictObject({ after: seqSchema, min: seqSchema.nullish() }).nullish(),
      conversations: z
        .record(conversationIdSchema, z.strictObject({ after: seqSchema, min: seqSchema.nullish() }))
        .refine((logs) => Object.keys(logs).length <= limits.syncLogs, `at most ${limits.syncLogs} logs (syncLogs)`)
        .nullish(),
      heads: z
        .strictObject({
          since: z.iso.datetime().nullish(),
          cursor: z.string().max(200).nullish(),
          limit: z.int().min(1).max(limits.pageEntries).nullish(),
        })
        .nullish(),
      limit: z.int().min(1).max(limits.syncEntries).nullish(),
    })
    .meta({ id: 'SyncRequest' });
export type SyncRequest = z.infer<ReturnType<typeof syncRequestSchema>>;

export const syncAnswerSchema = z
  .strictObject({
    epoch: epochSchema,
    serverTime: timestampSchema,
    feed: z.strictObject({ version: seqSchema, more: z.boolean(), items: z.array(feedItemSchema) }).optional(),
    app: z.strictObject({ entries: z.array(z.record(z.string(), z.unknown())), head: seqSchema, more: z.boolean() }).optional(),
    conversations: z.record(conversationIdSchema, conversationDeltaSchema),
    heads: z.strictObject({ items: z.array(headSchema), nextCursor: z.string().nullish() }).optional(),
  })
  .meta({ id: 'SyncAnswer' });
export type SyncAnswer = z.infer<typeof syncAnswerSchema>;
