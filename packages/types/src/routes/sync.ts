import { z } from 'zod';
import { receiptStateSchema } from '../conversation.ts';
import { emojiSchema } from '../emoji.ts';
import { entrySchema } from '../entry.ts';
import { conversationIdSchema, senderIdSchema, timestampSchema, userIdSchema } from '../ids.ts';
import type { Limits } from '../limits.ts';
import { entriesPageSchema, headsPageSchema, mineSchema, syncAnswerSchema, syncRequestSchema } from '../sync.ts';
import { conversationParams, entryParams } from './params.ts';
import { queryInteger, querySeq } from './query.ts';
import type { Route } from './route.ts';

/** The pull side (apps/sync). */
export const syncRoutes = (limits: Limits) =>
  ({
    sync: {
      method: 'POST',
      path: '/v1/sync',
      summary: 'Everything missed, over many logs, in one round trip',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      body: syncRequestSchema(limits),
      answers: { 200: syncAnswerSchema },
      errors: ['not_caught_up', 'seq_ahead'],
    },
    listHeads: {
      method: 'GET',
      path: '/v1/sync/conversations',
      summary: 'Your conversations, newest activity first, with exact unread counts',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ cursor: z.string().max(200).optional(), limit: queryInteger(1, limits.pageEntries).optional() }),
      answers: { 200: headsPageSchema },
      errors: [],
    },
    listEntries: {
      method: 'GET',
      path: '/v1/sync/conversations/{conversationId}/entries',
      summary: 'A page of one conversation: after a cursor, before one, or the newest',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: z.strictObject({ conversationId: conversationIdSchema }),
      query: z
        .strictObject({
          after: querySeq.optional(),
          before: querySeq.optional(),
          limit: queryInteger(1, limits.pageEntries).optional(),
          min: querySeq.optional(),
        })
        .refine((query) => query.after === undefined || query.before === undefined, 'after and before exclude each other'),
      answers: { 200: entriesPageSchema },
      errors: ['not_found', 'not_caught_up', 'seq_ahead'],
    },
    listReceipts: {
      method: 'GET',
      path: '/v1/sync/conversations/{conversationId}/receipts',
      summary: 'How far the members have read and received, by user id; with `seq` also how many have read it',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: conversationParams,
      query: z.strictObject({
        seq: querySeq.optional(),
        cursor: userIdSchema.optional(),
        limit: queryInteger(1, limits.pageEntries).optional(),
      }),
      answers: {
        200: z.strictObject({
          items: z.array(receiptStateSchema),
          nextCursor: userIdSchema.nullish(),
          /** Members, the sender of `seq` aside, who have read and received it. */
          readBy: z.int().min(0).optional(),
          deliveredTo: z.int().min(0).optional(),
        }),
      },
      errors: ['not_found'],
    },
    listReactions: {
      method: 'GET',
      path: '/v1/sync/conversations/{conversationId}/entries/{seq}/reactions',
      summary: 'Who reacted to a message, emoji by emoji, each in the order of reacting; with `emoji` only with that one',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: entryParams,
      query: z.strictObject({
        emoji: emojiSchema.optional(),
        cursor: z.string().max(200).optional(),
        limit: queryInteger(1, limits.pageEntries).optional(),
      }),
      answers: {
        200: z.strictObject({
          items: z.array(z.strictObject({ userId: userIdSchema, emoji: z.string(), createdAt: timestampSchema })),
          nextCursor: z.string().nullish(),
        }),
      },
      errors: ['not_found'],
    },
    listPins: {
      method: 'GET',
      path: '/v1/sync/conversations/{conversationId}/pins',
      summary: 'Pinned messages, the newest pin first',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: conversationParams,
      answers: {
        200: z.strictObject({
          items: z.array(z.strictObject({ entry: entrySchema, pinnedBy: senderIdSchema, pinnedAt: timestampSchema })),
          mine: mineSchema,
        }),
      },
      errors: ['not_found'],
    },
    getUnread: {
      method: 'GET',
      path: '/v1/me/unread',
      summary: 'Unread messages over all your conversations',
      tag: 'sync',
      auth: 'user',
      rate: 'readsPer10Seconds',
      answers: { 200: z.strictObject({ total: z.int().min(0), mentions: z.int().min(0) }) },
      errors: [],
    },
  }) as const satisfies Record<string, Route>;
