import { z } from 'zod';
import { conversationIdSchema } from '../ids.ts';
import type { Limits } from '../limits.ts';
import { entriesPageSchema, headsPageSchema, syncAnswerSchema, syncRequestSchema } from '../sync.ts';
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
