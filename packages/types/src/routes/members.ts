import { z } from 'zod';
import { banSchema, memberSchema, roleSchema } from '../conversation.ts';
import { userIdSchema } from '../ids.ts';
import type { Limits } from '../limits.ts';
import { changeAnswer, conversationParams, memberOrSelfParams, memberParams } from './params.ts';
import { queryInteger } from './query.ts';
import type { Route } from './route.ts';

/** Longest mute or ban with an end, seconds; without `seconds` it has none. */
const MAX_SECONDS = 10 * 366 * 24 * 60 * 60;
const duration = z.strictObject({ seconds: z.int().min(1).max(MAX_SECONDS).nullish() }).optional();

/** Members of a conversation: joining, roles, mutes, bans (apps/api). */
export const memberRoutes = (limits: Limits) =>
  ({
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
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown', 'last_owner'],
    },
    removeMember: {
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/members/{userId}',
      summary: 'Remove a member; `me` leaves (a direct conversation is hidden until the next message)',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: memberOrSelfParams,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'last_owner'],
    },
    transferOwnership: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/owner',
      summary: 'Make another member owner and yourself moderator, in one step',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: z.strictObject({ userId: userIdSchema }),
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown'],
    },
    muteMember: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/members/{userId}/mute',
      summary: 'Mute a member, for so many seconds or until unmuted',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: memberParams,
      body: duration,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown'],
    },
    unmuteMember: {
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/members/{userId}/mute',
      summary: 'Unmute a member',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: memberParams,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown'],
    },
    listBans: {
      method: 'GET',
      path: '/v1/conversations/{conversationId}/bans',
      summary: 'Users banned from a conversation, by user id; for moderators',
      tag: 'conversations',
      auth: 'user',
      rate: 'readsPer10Seconds',
      params: conversationParams,
      query: z.strictObject({ cursor: userIdSchema.optional(), limit: queryInteger(1, limits.pageEntries).optional() }),
      answers: { 200: z.strictObject({ items: z.array(banSchema), nextCursor: userIdSchema.nullish() }) },
      errors: ['not_found', 'forbidden'],
    },
    banMember: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/bans/{userId}',
      summary: 'Ban a user from a conversation, for so many seconds or until unbanned; a member is removed',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: memberParams,
      body: duration,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown'],
    },
    unbanMember: {
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/bans/{userId}',
      summary: 'Lift a ban; the user can be added again',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: memberParams,
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'user_unknown'],
    },
  }) as const satisfies Record<string, Route>;
