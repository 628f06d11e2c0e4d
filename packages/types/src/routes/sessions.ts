import { z } from 'zod';
import { deviceIdSchema, timestampSchema, userIdSchema } from '../ids.ts';
import type { Limits } from '../limits.ts';
import { sessionSchema } from '../sessions.ts';
import { presenceSchema } from '../socket.ts';
import { instant, userParams } from './params.ts';
import type { Route } from './route.ts';

const sessionsAnswer = z.strictObject({ sessions: z.array(sessionSchema) });
/** Sessions that were known and are told to end. One that is not known is told all the same: 0 says no more than that. */
const endedAnswer = z.strictObject({ ended: z.int() });
const sessionId = z.uuid();

const admin = { tag: 'admin', auth: 'server', rate: 'adminPer10Seconds' } as const;

/** Who is connected where, and ending it (apps/api). */
export const sessionRoutes = (limits: Limits) =>
  ({
    listSessions: {
      method: 'GET',
      path: '/v1/me/sessions',
      summary: 'Your devices that are connected, oldest first',
      tag: 'users',
      auth: 'user',
      rate: 'readsPer10Seconds',
      answers: { 200: sessionsAnswer },
      errors: [],
    },
    endSessions: {
      method: 'DELETE',
      path: '/v1/me/sessions',
      summary: 'Disconnect all your devices, or all but one',
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      query: z.strictObject({ except: sessionId.optional() }),
      answers: { 200: endedAnswer },
      errors: [],
    },
    endSession: {
      method: 'DELETE',
      path: '/v1/me/sessions/{sessionId}',
      summary: 'Disconnect one of your devices',
      tag: 'users',
      auth: 'user',
      rate: 'writesPer10Seconds',
      params: z.strictObject({ sessionId }),
      answers: { 200: endedAnswer },
      errors: [],
    },
    adminListSessions: {
      ...admin,
      method: 'GET',
      path: '/v1/admin/users/{userId}/sessions',
      summary: 'Devices of a user that are connected, and to which gateway',
      params: userParams,
      answers: { 200: sessionsAnswer },
      errors: [],
    },
    adminEndSessions: {
      ...admin,
      method: 'DELETE',
      path: '/v1/admin/users/{userId}/sessions',
      summary: 'Disconnect all devices of a user, or one, wherever they are; they may come back with their tokens',
      params: userParams,
      query: z.strictObject({ deviceId: deviceIdSchema.optional() }),
      answers: { 200: endedAnswer },
      errors: [],
    },
    adminEndSession: {
      ...admin,
      method: 'DELETE',
      path: '/v1/admin/users/{userId}/sessions/{sessionId}',
      summary: 'Disconnect one device of a user',
      params: userParams.extend({ sessionId }),
      answers: { 200: endedAnswer },
      errors: [],
    },
    adminPresence: {
      ...admin,
      method: 'POST',
      path: '/v1/admin/presence',
      summary: 'Whether users are online, in the order asked; who shows its presence to nobody is offline',
      bodyLimit: 'adminBodyBytes',
      body: z.strictObject({ userIds: z.array(userIdSchema).min(1).max(limits.usersPerStatusQuery) }),
      answers: { 200: z.strictObject({ presence: z.array(presenceSchema) }) },
      errors: ['too_large', 'overloaded'],
    },
    revokeTokens: {
      ...admin,
      method: 'POST',
      path: '/v1/admin/users/{userId}/revoke-tokens',
      summary: "Refuse every token of the user issued before now, everywhere within 10 s, and end the user's sessions",
      params: userParams,
      answers: { 200: z.strictObject({ tokensValidAfter: timestampSchema }) },
      errors: [],
    },
    banUser: {
      ...admin,
      method: 'PUT',
      path: '/v1/admin/users/{userId}/ban',
      summary: 'Shut a user out of the whole app, until a time or for ever',
      bodyLimit: 'httpBodyBytes',
      params: userParams,
      body: z.strictObject({ until: instant.nullish() }).optional(),
      answers: { 200: z.strictObject({ bannedUntil: timestampSchema.nullable() }) },
      errors: ['too_large'],
    },
    unbanUser: {
      ...admin,
      method: 'DELETE',
      path: '/v1/admin/users/{userId}/ban',
      summary: 'Let a banned user back into the app',
      params: userParams,
      answers: { 200: z.strictObject({ changed: z.boolean() }) },
      errors: [],
    },
  }) as const satisfies Record<string, Route>;
