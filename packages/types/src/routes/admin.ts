import { z } from 'zod';
import { conversationSchema, roleSchema } from '../conversation.ts';
import { customTypeSchema } from '../entry.ts';
import { seqSchema, timestampSchema, userIdSchema } from '../ids.ts';
import { storableObject, storableText } from '../json.ts';
import type { Limits } from '../limits.ts';
import { sessionPolicySchema } from '../sessions.ts';
import { conversationPatch, newConversation } from './conversations.ts';
import { messageEdit, newMessage, sendAnswer } from './messages.ts';
import { avatarUrl, changeAnswer, conversationParams, entryParams, memberParams, userParams } from './params.ts';
import { queryInteger, querySeq } from './query.ts';
import type { Route } from './route.ts';

const conversationAnswer = z.strictObject({ conversation: conversationSchema });

const admin = { tag: 'admin', auth: 'server', rate: 'adminPer10Seconds', bodyLimit: 'httpBodyBytes' } as const;

/** The integrator's routes, called from its own servers with a server key (apps/api). */
export const adminRoutes = (limits: Limits) =>
  ({
    upsertUsers: {
      method: 'POST',
      path: '/v1/admin/users',
      summary: 'Create or update users',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      bodyLimit: 'adminBodyBytes',
      body: z.strictObject({
        users: z
          .array(
            z.strictObject({
              id: userIdSchema,
              displayName: storableText(1, 128).nullish(),
              avatarUrl: avatarUrl.nullish(),
              metadata: storableObject(limits.jsonDepth).nullish(),
            }),
          )
          .min(1)
          .max(limits.usersPerUpsert),
      }),
      answers: { 200: z.strictObject({ count: z.int() }) },
      errors: ['too_large'],
    },
    mintToken: {
      method: 'POST',
      path: '/v1/admin/users/{userId}/tokens',
      summary: 'Mint a token for a user',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: userParams,
      body: z.strictObject({ ttlSeconds: z.int().min(1).max(limits.tokenLifetimeSeconds).nullish() }).optional(),
      answers: { 201: z.strictObject({ token: z.string(), expiresAt: timestampSchema }) },
      errors: ['not_found'],
    },
    adminCreateConversation: {
      method: 'POST',
      path: '/v1/admin/conversations',
      summary: 'Create a conversation for a user, with up to 10,000 members',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      bodyLimit: 'adminBodyBytes',
      body: newConversation(limits, limits.adminMembersPerRequest).extend({ createdBy: userIdSchema }),
      answers: { 200: conversationAnswer, 201: conversationAnswer },
      errors: ['user_unknown', 'not_found', 'too_large'],
    },
    updateApp: {
      method: 'PATCH',
      path: '/v1/admin/app',
      summary: 'Settings of the app; what is absent stays',
      ...admin,
      /** `countableTypes`: custom types that count as unread, decided when an entry is appended. `sessionPolicy` replaces the former; `{}` is none. */
      body: z.strictObject({ countableTypes: z.array(customTypeSchema).max(100).nullish(), sessionPolicy: sessionPolicySchema.nullish() }),
      answers: {
        200: z.strictObject({
          settings: z.strictObject({ countableTypes: z.array(customTypeSchema), sessionPolicy: sessionPolicySchema.nullish() }),
        }),
      },
      errors: [],
    },
    createNotice: {
      method: 'POST',
      path: '/v1/admin/users/{userId}/notices',
      summary: "Put a notice into a user's feed, on all its devices; the same id again replaces it",
      ...admin,
      params: userParams,
      body: z.strictObject({ id: z.uuid().nullish(), body: storableObject(limits.jsonDepth) }),
      answers: { 201: z.strictObject({ noticeId: z.uuid() }) },
      errors: ['not_found', 'too_large'],
    },
    adminSendMessage: {
      method: 'POST',
      path: '/v1/admin/conversations/{conversationId}/messages',
      summary: 'Send on behalf of a member; roles, freezing, mutes, blocks and slow mode do not apply, membership does',
      ...admin,
      params: conversationParams,
      body: newMessage(limits).omit({ sendAt: true }).extend({ senderId: userIdSchema }),
      answers: { 200: sendAnswer, 201: sendAnswer },
      errors: ['not_found', 'user_unknown', 'client_msg_id_reused', 'too_large'],
    },
    adminEditMessage: {
      method: 'PATCH',
      path: '/v1/admin/conversations/{conversationId}/messages/{seq}',
      summary: 'Edit any message',
      ...admin,
      params: entryParams,
      body: messageEdit(limits),
      answers: { 200: changeAnswer },
      errors: ['not_found', 'user_unknown', 'client_msg_id_reused', 'state_changed', 'message_redacted', 'too_large'],
    },
    adminRedactMessage: {
      method: 'DELETE',
      path: '/v1/admin/conversations/{conversationId}/messages/{seq}',
      summary: 'Remove the content of any message, everywhere and for ever',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      params: entryParams,
      answers: { 200: changeAnswer },
      errors: ['not_found'],
    },
    listVersions: {
      method: 'GET',
      path: '/v1/admin/conversations/{conversationId}/messages/{seq}/versions',
      summary: 'Every version of a message, oldest first; none are left once it is redacted',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      params: entryParams,
      query: z.strictObject({ cursor: querySeq.optional(), limit: queryInteger(1, 50).optional() }),
      answers: {
        200: z.strictObject({
          versions: z.array(
            z.strictObject({
              body: z.record(z.string(), z.unknown()),
              mentions: z.array(userIdSchema).nullish(),
              writtenAt: timestampSchema,
            }),
          ),
          nextCursor: seqSchema.nullish(),
        }),
      },
      errors: ['not_found'],
    },
    adminUpdateConversation: {
      method: 'PATCH',
      path: '/v1/admin/conversations/{conversationId}',
      summary: 'Change any conversation',
      ...admin,
      params: conversationParams,
      body: conversationPatch(limits),
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'too_large'],
    },
    adminPutMember: {
      method: 'PUT',
      path: '/v1/admin/conversations/{conversationId}/members/{userId}',
      summary: 'Add a member to a group or channel, or give it another role',
      ...admin,
      params: memberParams,
      body: z.strictObject({ role: roleSchema.nullish() }).optional(),
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown', 'last_owner'],
    },
    adminRemoveMember: {
      method: 'DELETE',
      path: '/v1/admin/conversations/{conversationId}/members/{userId}',
      summary: 'Remove a member from a group or channel',
      tag: 'admin',
      auth: 'server',
      rate: 'adminPer10Seconds',
      params: memberParams,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'last_owner'],
    },
  }) as const satisfies Record<string, Route>;
