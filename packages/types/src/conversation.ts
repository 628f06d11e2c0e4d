import { z } from 'zod';
import { conversationIdSchema, seqSchema, timestampSchema, userIdSchema } from './ids.ts';

/** direct: exactly its two members. group: all may send. channel: owner and moderators send, others read. */
export const conversationTypeSchema = z.enum(['direct', 'group', 'channel']).meta({ id: 'ConversationType' });
export type ConversationType = z.infer<typeof conversationTypeSchema>;

/** full: a member sees everything from `oldestSeq`. since_join: from its own joining. */
export const historySchema = z.enum(['full', 'since_join']).meta({ id: 'History' });
export type History = z.infer<typeof historySchema>;

/** Role of a member. Roles rank owner, moderator, member. */
export const roleSchema = z.enum(['owner', 'moderator', 'member']).meta({ id: 'Role' });
export type Role = z.infer<typeof roleSchema>;

/** A conversation as a member sees it. */
export const conversationSchema = z
  .strictObject({
    id: conversationIdSchema,
    type: conversationTypeSchema,
    title: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()).nullable(),
    history: historySchema,
    createdBy: userIdSchema,
    createdAt: timestampSchema,
    memberCount: z.int(),
    lastSeq: seqSchema,
    oldestSeq: seqSchema,
  })
  .meta({ id: 'Conversation' });
export type Conversation = z.infer<typeof conversationSchema>;

/** One current member. */
export const memberSchema = z.strictObject({ userId: userIdSchema, role: roleSchema, joinedSeq: seqSchema }).meta({ id: 'Member' });
export type Member = z.infer<typeof memberSchema>;
