import { z } from 'zod';
import { conversationSchema, conversationTypeSchema, historySchema, memberSchema, roleSchema } from '../conversation.ts';
import { clientMsgIdSchema, conversationIdSchema, seqSchema, timestampSchema, userIdSchema } from '../ids.ts';
import { storableObject, storableText } from '../json.ts';
import type { Limits } from '../limits.ts';
import { queryInteger } from './query.ts';
import type { Route } from './route.ts';

const conversationParams = z.strictObject({ conversationId: conversationIdSchema });
/** `me` is whoever asks. */
const memberOrSelfParams = z.strictObject({ conversationId: conversationIdSchema, userId: z.union([z.literal('me'), userIdSchema]) });
const memberParams = z.strictObject({ conversationId: conversationIdSchema, userId: userIdSchema });
const conversationAnswer = z.strictObject({ conversation: conversationSchema });
/** What a change of membership answers: the head it left behind, and whether it changed anything. */
const membershipAnswer = z.strictObject({ seq: seqSchema.nullable(), changed: z.boolean() });

/**
 * What a send answers. `asSent`: the stored entry is what was sent, nothing masked or added, so a device whose cursor is `seq - 1` may
 * apply its own message without pulling it.
 */
const sendAnswer = z
  .strictObject({ conversationId: conversationIdSchema, seq: seqSchema, createdAt: timestampSchema, asSent: z.boolean() })
  .meta({ id: 'SendAnswer' });

/** Fields of a new conversation. `key` makes a group or channel idempotent per creator; a direct one always is. */
export const newConversation = (limits: Limits, maxMembers: number) =>
  z.strictObject({
    type: conversationTypeSchema,
    members: z.array(userIdSchema).max(maxMembers, `at most ${maxMembers} members in one request`).nullish(),
    title: storableText(1, 200).nullish(),
    metadata: storableObject(limits.jsonDepth).nullish(),
    history: historySchema.nullish(),
    key: storableText(1, 64).nullish(),
  });

/** Conversations, their members, sends and read positions (apps/api). */
export const conversationRoutes = (limits: Limits) =>
  ({
    createConversation: {
      method: 'POST',
      path: '/v1/conversations',
      summary: 'Create a conversation, or get the one that this request created before',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      body: newConversation(limits, limits.membersPerRequest),
      answers: { 200: conversationAnswer, 201: conversationAnswer },
      errors: ['user_unknown', 'not_found', 'too_large'],
    },
    getConversation: {
      method: 'GET',
      path: '/v1/conversations/{conversationId}',
      summary: 'A conversation you are a member of',
      tag: 'conversations',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: conversationParams,
      answers: { 200: conversationAnswer },
      errors: ['not_found'],
    },
    listMembers: {
      method: 'GET',
      path: '/v1/conversations/{conversationId}/members',
      summary: 'Current members, by user id',
      tag: 'conversations',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: conversationParams,
      query: z.strictObject({ cursor: userIdSchema.optional(), limit: queryInteger(1, limits.pageEntries).optional() }),
      answers: {
        200: z.strictObject({ items: z.array(memberSchema), version: z.int(), nextCursor: userIdSchema.nullish() }),
      },
      errors: ['not_found'],
    },
    putMember: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/members/{userId}',
      summary: 'Add a member, or give a member another role',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: memberParams,
      body: z.strictObject({ role: roleSchema.nullish() }).optional(),
      answers: { 200: membershipAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown', 'last_owner'],
    },
    removeMember: {
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/members/{userId}',
      summary: 'Remove a member; `me` leaves (a direct conversation is hidden until something new arrives)',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: memberOrSelfParams,
      answers: { 200: membershipAnswer },
      errors: ['not_found', 'forbidden', 'last_owner'],
    },
    sendMessage: {
      method: 'POST',
      path: '/v1/conversations/{conversationId}/messages',
      summary: 'Send a message; the same clientMsgId again answers with the first seq',
      tag: 'messages',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: z.strictObject({
        clientMsgId: clientMsgIdSchema,
        type: z.literal('message').nullish(),
        body: storableObject(limits.jsonDepth),
      }),
      answers: { 200: sendAnswer, 201: sendAnswer },
      errors: ['not_found', 'forbidden', 'frozen', 'muted', 'slow_mode', 'client_msg_id_reused', 'too_large'],
    },
    markRead: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/read',
      summary: 'Move your read position forward; it never moves back and is clamped to the head',
      tag: 'messages',
      auth: 'user',
      rate: 'marksPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: z.strictObject({ seq: seqSchema }),
      answers: { 200: z.strictObject({ readSeq: seqSchema, unread: z.int().min(0) }) },
      errors: ['not_found'],
    },
  }) as const satisfies Record<string, Route>;
