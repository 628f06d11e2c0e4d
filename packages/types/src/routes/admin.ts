import { z } from 'zod';
import { conversationSchema } from '../conversation.ts';
import { timestampSchema, userIdSchema } from '../ids.ts';
import { storableObject, storableText } from '../json.ts';
import type { Limits } from '../limits.ts';
import { newConversation } from './conversations.ts';
import type { Route } from './route.ts';

const conversationAnswer = z.strictObject({ conversation: conversationSchema });

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
              avatarUrl: z
                .url({ protocol: /^https?$/ })
                .max(2_048)
                .nullish(),
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
      params: z.strictObject({ userId: userIdSchema }),
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
  }) as const satisfies Record<string, Route>;
