import { z } from 'zod';
import { userIdSchema } from '../ids.ts';
import { storableObject, storableText } from '../json.ts';
import type { Limits } from '../limits.ts';
import { presenceSchema } from '../socket.ts';
import { meSchema, presenceVisibilitySchema, profileSchema, scheduledMessageSchema } from '../user.ts';
import { avatarUrl, queryUsers, userParams } from './params.ts';
import { queryInteger } from './query.ts';
import type { Route } from './route.ts';

const changed = z.strictObject({ changed: z.boolean() });
const meAnswer = z.strictObject({ me: meSchema });

/** One's own user, blocks, scheduled messages and notices; other users' profiles and presence (apps/api). */
export const meRoutes = (limits: Limits) =>
  ({
    getMe: {
      method: 'GET',
      path: '/v1/me',
      summary: 'Your own user',
      tag: 'users',
      auth: 'user',
      rate: 'readsPer10Seconds',
      answers: { 200: meAnswer },
      errors: [],
    },
    updateMe: {
      method: 'PATCH',
      path: '/v1/me',
      summary: "Change your profile or who sees your presence; '' and {} clear",
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      body: z.strictObject({
        displayName: storableText(0, 128).nullish(),
        avatarUrl: z.union([z.literal(''), avatarUrl]).nullish(),
        metadata: storableObject(limits.jsonDepth).nullish(),
        presenceVisibility: presenceVisibilitySchema.nullish(),
      }),
      answers: { 200: meAnswer },
      errors: ['too_large'],
    },
    listBlocks: {
      method: 'GET',
      path: '/v1/me/blocks',
      summary: 'Users you block, by user id',
      tag: 'users',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ cursor: userIdSchema.optional(), limit: queryInteger(1, limits.pageEntries).optional() }),
      answers: { 200: z.strictObject({ items: z.array(z.strictObject({ userId: userIdSchema })), nextCursor: userIdSchema.nullish() }) },
      errors: [],
    },
    blockUser: {
      method: 'PUT',
      path: '/v1/me/blocks/{userId}',
      summary: 'Block a user: no direct messages, typing or presence between you',
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: userParams,
      answers: { 200: changed },
      errors: ['user_unknown', 'limit_reached'],
    },
    unblockUser: {
      method: 'DELETE',
      path: '/v1/me/blocks/{userId}',
      summary: 'Unblock a user',
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: userParams,
      answers: { 200: changed },
      errors: ['user_unknown'],
    },
    listScheduled: {
      method: 'GET',
      path: '/v1/me/scheduled',
      summary: 'Your messages that wait for their time, and those refused at it, by id',
      tag: 'messages',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ cursor: z.uuid().optional(), limit: queryInteger(1, limits.pageEntries).optional() }),
      answers: { 200: z.strictObject({ items: z.array(scheduledMessageSchema), nextCursor: z.uuid().nullish() }) },
      errors: [],
    },
    cancelScheduled: {
      method: 'DELETE',
      path: '/v1/me/scheduled/{scheduledId}',
      summary: 'Cancel a message that has not been sent yet',
      tag: 'messages',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: z.strictObject({ scheduledId: z.uuid() }),
      answers: { 200: changed },
      errors: ['not_found'],
    },
    dismissNotice: {
      method: 'DELETE',
      path: '/v1/me/notices/{noticeId}',
      summary: 'Dismiss a notice on all your devices',
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: z.strictObject({ noticeId: z.uuid() }),
      answers: { 200: changed },
      errors: ['not_found'],
    },
    getUsers: {
      method: 'GET',
      path: '/v1/users',
      summary: 'Profiles of users, by comma-separated ids; unknown ones are left out',
      tag: 'users',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ ids: queryUsers(limits.usersPerQuery) }),
      answers: { 200: z.strictObject({ users: z.array(profileSchema) }) },
      errors: [],
    },
    getPresence: {
      method: 'GET',
      path: '/v1/presence',
      summary: 'Whether users are online, by comma-separated ids',
      tag: 'users',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ users: queryUsers(limits.usersPerQuery) }),
      answers: { 200: z.strictObject({ presence: z.array(presenceSchema) }) },
      errors: [],
    },
  }) as const satisfies Record<string, Route>;
