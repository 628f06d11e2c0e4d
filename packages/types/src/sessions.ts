import { z } from 'zod';
import { deviceIdSchema, timestampSchema } from './ids.ts';
import { platformSchema, presenceStatusSchema } from './socket.ts';

/** A device of a user that is connected now, or was a moment ago. */
export const sessionSchema = z
  .strictObject({
    sessionId: z.uuid(),
    deviceId: deviceIdSchema,
    platform: platformSchema.nullish(),
    gatewayId: z.string(),
    status: presenceStatusSchema,
    connectedAt: timestampSchema,
  })
  .meta({ id: 'Session' });
export type SessionView = z.infer<typeof sessionSchema>;

/**
 * How many sessions a user of an app may have. `maxSessions`: at most so many; never above the server's own `sessionsPerUser`.
 * `onePerPlatform`: one on each platform, sessions that name none being one platform together. `whenFull`: the newest session ends the
 * oldest that stand in its way, or is refused as `too_many_sessions`.
 */
export const sessionPolicySchema = z
  .strictObject({
    maxSessions: z.int().min(1).max(1_000).nullish(),
    onePerPlatform: z.boolean().nullish(),
    whenFull: z.enum(['end_oldest', 'refuse']).nullish(),
  })
  .meta({ id: 'SessionPolicy' });
export type SessionPolicy = z.infer<typeof sessionPolicySchema>;
