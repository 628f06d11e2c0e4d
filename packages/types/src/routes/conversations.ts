import { z } from 'zod';
import { conversationSchema, conversationTypeSchema, historySchema, preferencesSchema } from '../conversation.ts';
import { userIdSchema } from '../ids.ts';
import { storableObject, storableText } from '../json.ts';
import type { Limits } from '../limits.ts';
import { avatarUrl, changeAnswer, conversationParams, instant } from './params.ts';
import type { Route } from './route.ts';

const conversationAnswer = z.strictObject({ conversation: conversationSchema });

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

/** Changes of a conversation. What is absent stays; `''` clears a text, `{}` the metadata, 0 switches a bound off. */
export const conversationPatch = (limits: Limits) =>
  z.strictObject({
    title: storableText(0, 200).nullish(),
    avatarUrl: z.union([z.literal(''), avatarUrl]).nullish(),
    metadata: storableObject(limits.jsonDepth).nullish(),
    frozen: z.boolean().nullish(),
    slowModeSeconds: z.int().min(0).max(limits.slowModeSeconds).nullish(),
    retentionSeconds: z.int().min(0).max(limits.retentionSeconds).nullish(),
  });

/** Conversations (apps/api). */
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
      errors: ['user_unknown', 'not_found', 'blocked', 'too_large'],
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
    updateConversation: {
      method: 'PATCH',
      path: '/v1/conversations/{conversationId}',
      summary: 'Change title, avatar, metadata, read-only, slow mode or retention',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: conversationPatch(limits),
      answers: { 200: changeAnswer },
      errors: ['not_found', 'forbidden', 'blocked', 'too_large'],
    },
    updatePreferences: {
      method: 'PATCH',
      path: '/v1/conversations/{conversationId}/preferences',
      summary: 'Your own settings of a conversation, the same on all your devices',
      tag: 'conversations',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      /** What is absent stays; a time that is not ahead unmutes, an empty draft goes. */
      body: z.strictObject({
        mutedUntil: instant.nullish(),
        archived: z.boolean().nullish(),
        pinned: z.boolean().nullish(),
        draft: storableObject(limits.jsonDepth).nullish(),
      }),
      answers: { 200: z.strictObject({ preferences: preferencesSchema }) },
      errors: ['not_found', 'too_large'],
    },
  }) as const satisfies Record<string, Route>;
