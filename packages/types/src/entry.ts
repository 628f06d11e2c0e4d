import { z } from 'zod';
import { conversationTypeSchema, historySchema, roleSchema } from './conversation.ts';
import { clientMsgIdSchema, senderIdSchema, seqSchema, timestampSchema, userIdSchema } from './ids.ts';

/** Kinds of entry written today. A client ignores the effect of a type it does not know, never its seq. */
export const entryTypes = ['conversation.created', 'message', 'member.joined', 'member.left', 'member.updated'] as const;

/** See {@link entryTypes}. */
export type EntryType = (typeof entryTypes)[number];

/** One durable change of a conversation, with the next seq of its log. The same text for every viewer. */
export const entrySchema = z
  .looseObject({
    seq: seqSchema.min(1),
    type: z.string(),
    senderId: senderIdSchema,
    createdAt: timestampSchema,
    clientMsgId: clientMsgIdSchema.nullish(),
    body: z.record(z.string(), z.unknown()).nullable(),
    target: seqSchema.nullish(),
    stateSeq: seqSchema.nullish(),
  })
  .meta({ id: 'Entry' });

/** See {@link entrySchema}. */
export type Entry = z.infer<typeof entrySchema>;

/** The `body` of each system entry. `by` is the user who acted. */
export const systemBodySchemas = {
  'conversation.created': z.looseObject({
    type: conversationTypeSchema,
    by: userIdSchema,
    title: z.string().nullish(),
    history: historySchema,
    /** The first members, the creator aside. In groups and channels the creator is owner and these are members. */
    members: z.array(userIdSchema),
  }),
  'member.joined': z.looseObject({ userId: userIdSchema, role: roleSchema, by: userIdSchema }),
  'member.left': z.looseObject({ userId: userIdSchema, by: userIdSchema, reason: z.enum(['left', 'removed']) }),
  'member.updated': z.looseObject({ userId: userIdSchema, role: roleSchema, by: userIdSchema }),
} as const satisfies Partial<Record<EntryType, z.ZodType>>;
