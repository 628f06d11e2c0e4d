import { z } from 'zod';
import { conversationIdSchema, timestampSchema, userIdSchema } from './ids.ts';

/** Who sees whether a user is online and when it was last seen. */
export const presenceVisibilitySchema = z.enum(['everyone', 'nobody']).meta({ id: 'PresenceVisibility' });
export type PresenceVisibility = z.infer<typeof presenceVisibilitySchema>;

/** A user as others see it. */
export const profileSchema = z
  .strictObject({
    id: userIdSchema,
    displayName: z.string().nullable(),
    avatarUrl: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'Profile' });
export type Profile = z.infer<typeof profileSchema>;

/** One's own user. */
export const meSchema = profileSchema
  .extend({ presenceVisibility: presenceVisibilitySchema, createdAt: timestampSchema })
  .meta({ id: 'Me' });
export type Me = z.infer<typeof meSchema>;

/** A message that waits for its time; one with `failed` was refused when its time came, with that error code. */
export const scheduledMessageSchema = z
  .strictObject({
    id: z.uuid(),
    conversationId: conversationIdSchema,
    clientMsgId: z.string(),
    type: z.string(),
    body: z.record(z.string(), z.unknown()),
    sendAt: timestampSchema,
    createdAt: timestampSchema,
    failed: z.string().nullish(),
  })
  .meta({ id: 'ScheduledMessage' });
export type ScheduledMessage = z.infer<typeof scheduledMessageSchema>;
