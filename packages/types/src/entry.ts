import { z } from 'zod';
import { conversationTypeSchema, historySchema, roleSchema } from './conversation.ts';
import { clientMsgIdSchema, SYSTEM_SENDER, senderIdSchema, seqSchema, timestampSchema, userIdSchema } from './ids.ts';

/** Kinds of entry that the server writes itself or acts upon; besides them there are `custom.*`. A client ignores the effect of a type it does not know, never its seq. */
export const entryTypes = [
  'conversation.created',
  'message',
  'message.edited',
  'message.redacted',
  'reaction.added',
  'reaction.removed',
  'message.pinned',
  'message.unpinned',
  'member.joined',
  'member.left',
  'member.updated',
  'conversation.updated',
] as const;

/** See {@link entryTypes}. */
export type EntryType = (typeof entryTypes)[number];

/** Types that change the entry named by their `target`. */
export const actingTypes = [
  'message.edited',
  'message.redacted',
  'reaction.added',
  'reaction.removed',
  'message.pinned',
  'message.unpinned',
] as const satisfies readonly EntryType[];

/** See {@link actingTypes}. */
export type ActingType = (typeof actingTypes)[number];

/** The integrator's own kind of entry, sent like a message. */
export const customTypeSchema = z
  .string()
  .regex(/^custom\.[a-z0-9_.-]{1,40}$/, 'custom. and 1-40 of a-z 0-9 _ . -')
  .meta({ id: 'CustomType', example: 'custom.poll' });

/** Whether entries of this type can be edited, redacted, reacted to, pinned and quoted. */
export function isContentType(type: string): boolean {
  return type === 'message' || type.startsWith('custom.');
}

/** How many users a reaction names; `count` counts all. */
export const REACTION_USERS = 10;

/** One emoji on an entry: how many users, and the first of them by time. */
export const reactionSchema = z
  .strictObject({ emoji: z.string(), count: z.int().min(0), users: z.array(userIdSchema).max(REACTION_USERS) })
  .meta({ id: 'Reaction' });
export type Reaction = z.infer<typeof reactionSchema>;

/**
 * The entry that a message quotes. `excerpt` and `redacted` follow its edits and its redaction. Only `seq` is there when the quoted entry
 * lies before what the viewer may see.
 */
export const replyToSchema = z
  .strictObject({
    seq: seqSchema.min(1),
    senderId: senderIdSchema.nullish(),
    excerpt: z.string().nullish(),
    expiresAt: timestampSchema.nullish(),
    redacted: z.literal(true).nullish(),
  })
  .meta({ id: 'ReplyTo' });
export type ReplyTo = z.infer<typeof replyToSchema>;

/**
 * One durable change of a conversation, with the next seq of its log. The same text for every viewer. `target` is the seq an acting entry
 * changes. `stateSeq` is the last acting entry already folded into this one. An entry whose target lies before what the viewer may see has
 * only `seq`, `type` and `target`.
 */
export const entrySchema = z
  .looseObject({
    seq: seqSchema.min(1),
    type: z.string(),
    target: seqSchema.nullish(),
    senderId: senderIdSchema.nullish(),
    createdAt: timestampSchema.nullish(),
    /** A custom entry that counts as unread. A `message` always counts, nothing else does. */
    countable: z.literal(true).nullish(),
    clientMsgId: clientMsgIdSchema.nullish(),
    replyTo: replyToSchema.nullish(),
    mentions: z.array(userIdSchema).nullish(),
    reactions: z.array(reactionSchema).nullish(),
    pinned: z.literal(true).nullish(),
    editedAt: timestampSchema.nullish(),
    /** From this time on the entry is as if redacted. */
    expiresAt: timestampSchema.nullish(),
    redacted: z.literal(true).nullish(),
    stateSeq: seqSchema.nullish(),
    body: z.record(z.string(), z.unknown()).nullish(),
  })
  .meta({ id: 'Entry' });

/** See {@link entrySchema}. */
export type Entry = z.infer<typeof entrySchema>;

/** Who acted: a user, or the integrator's server. */
const actorSchema = z.union([userIdSchema, z.literal(SYSTEM_SENDER)]);

/** The `body` of each entry that the server writes itself. `by` is who acted. */
export const systemBodySchemas = {
  'conversation.created': z.looseObject({
    type: conversationTypeSchema,
    by: userIdSchema,
    title: z.string().nullish(),
    history: historySchema,
    /** The first members, the creator aside. In groups and channels the creator is owner and these are members. */
    members: z.array(userIdSchema),
  }),
  'member.joined': z.looseObject({ userId: userIdSchema, role: roleSchema, by: actorSchema }),
  'member.left': z.looseObject({
    userId: userIdSchema,
    by: actorSchema,
    reason: z.enum(['left', 'removed', 'banned']),
    /** With `banned`: until when; absent = for ever. */
    bannedUntil: timestampSchema.nullish(),
  }),
  /** Only what changed. `transfer`: `userId` is owner from here on and `by` is moderator. */
  'member.updated': z.looseObject({
    userId: userIdSchema,
    by: actorSchema,
    role: roleSchema.nullish(),
    mutedUntil: timestampSchema.nullish(),
    banned: z.boolean().nullish(),
    bannedUntil: timestampSchema.nullish(),
    transfer: z.literal(true).nullish(),
  }),
  /** Only what changed; null = cleared. */
  'conversation.updated': z.looseObject({
    by: actorSchema,
    title: z.string().nullish(),
    avatarUrl: z.string().nullish(),
    metadata: z.record(z.string(), z.unknown()).nullish(),
    frozen: z.boolean().nullish(),
    slowModeSeconds: z.int().nullish(),
    retentionSeconds: z.int().nullish(),
  }),
  /** The emoji as it stands after this entry; count 0: nobody is left. */
  'reaction.added': reactionSchema,
  'reaction.removed': reactionSchema,
} as const satisfies Partial<Record<EntryType, z.ZodType>>;

/** Code points of an excerpt. */
export const EXCERPT_CHARACTERS = 140;

/** What a preview or a quotation shows of a body: the start of its `text`. */
export function excerptOf(body: Readonly<Record<string, unknown>> | null | undefined): string {
  const text = body?.text;
  if (typeof text !== 'string') return '';
  if (text.length <= EXCERPT_CHARACTERS) return text;
  let units = 0;
  let characters = 0;
  for (const character of text) {
    if (characters === EXCERPT_CHARACTERS) break;
    units += character.length;
    characters += 1;
  }
  return text.slice(0, units);
}
