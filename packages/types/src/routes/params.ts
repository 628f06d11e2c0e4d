import { z } from 'zod';
import { conversationIdSchema, seqSchema, userIdSchema } from '../ids.ts';
import { queryInteger } from './query.ts';

/** Path parameters and answers that several routes share. */
export const conversationParams = z.strictObject({ conversationId: conversationIdSchema });
export const memberParams = z.strictObject({ conversationId: conversationIdSchema, userId: userIdSchema });
/** `me` is whoever asks. */
export const memberOrSelfParams = z.strictObject({
  conversationId: conversationIdSchema,
  userId: z.union([z.literal('me'), userIdSchema]),
});
export const entryParams = z.strictObject({ conversationId: conversationIdSchema, seq: queryInteger(1, Number.MAX_SAFE_INTEGER) });
export const userParams = z.strictObject({ userId: userIdSchema });

/** What a change answers: the seq of the entry that it appended, null when there was nothing to change. */
export const changeAnswer = z.strictObject({ seq: seqSchema.nullable(), changed: z.boolean() }).meta({ id: 'ChangeAnswer' });

/** A web address; empty where the route says that empty clears. */
export const avatarUrl = z.url({ protocol: /^https?$/ }).max(2_048);

/** A list of users in a query string: `ids=alice,bob`. */
export const queryUsers = (max: number) =>
  z
    .string()
    .max(max * 65)
    .transform((text) => text.split(','))
    .pipe(z.array(userIdSchema).min(1).max(max, `at most ${max} users (usersPerQuery)`));

/** A time from outside: RFC 3339 with any precision and offset, as its instant. */
export const instant = z.iso.datetime({ offset: true }).max(40);
