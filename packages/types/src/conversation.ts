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

/** A conversation as a member sees it, as of `lastSeq`: changes above it come as `conversation.updated`. */
export const conversationSchema = z
  .strictObject({
    id: conversationIdSchema,
    type: conversationTypeSchema,
    title: z.string().nullable(),
    avatarUrl: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()).nullable(),
    /** Read-only but for moderators and owners. */
    frozen: z.boolean(),
    /** Least time between two messages of one member, 0 = none. */
    slowModeSeconds: z.int().min(0),
    /** How long entries keep their content, 0 = for ever. */
    retentionSeconds: z.int().min(0),
    history: historySchema,
    createdBy: userIdSchema,
    createdAt: timestampSchema,
    memberCount: z.int(),
    lastSeq: seqSchema,
    oldestSeq: seqSchema,
  })
  .meta({ id: 'Conversation' });
export type Conversation = z.infer<typeof conversationSchema>;

/** One current member. `mutedUntil` is there while it lies ahead. */
export const memberSchema = z
  .strictObject({ userId: userIdSchema, role: roleSchema, joinedSeq: seqSchema, mutedUntil: timestampSchema.nullish() })
  .meta({ id: 'Member' });
export type Member = z.infer<typeof memberSchema>;

/** Someone banned from a conversation; without `until` for ever. */
export const banSchema = z.strictObject({ userId: userIdSchema, until: timestampSchema.nullish() }).meta({ id: 'Ban' });
export type Ban = z.infer<typeof banSchema>;

/** How far a member has read and received. */
export const receiptStateSchema = z
  .strictObject({ userId: userIdSchema, readSeq: seqSchema, deliveredSeq: seqSchema })
  .meta({ id: 'ReceiptState' });
export type ReceiptState = z.infer<typeof receiptStateSchema>;

/** One's own settings of a conversation, the same on all devices. What is absent is off. */
export const preferencesSchema = z
  .strictObject({
    mutedUntil: timestampSchema.nullish(),
    archived: z.boolean().nullish(),
    pinned: z.boolean().nullish(),
    draft: z.record(z.string(), z.unknown()).nullish(),
    /** A direct conversation that was left: hidden while no entry above this counts as unread. */
    hiddenSeq: seqSchema.nullish(),
  })
  .meta({ id: 'Preferences' });
export type Preferences = z.infer<typeof preferencesSchema>;
