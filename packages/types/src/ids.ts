import { z } from 'zod';
import { storableText } from './json.ts';

/** Id of a tenant. It never travels in a request: a token belongs to one app. */
export const appIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'an app id: lower-case letters, digits, _ and -, at most 32')
  .meta({ id: 'AppId' });

/**
 * The integrator's own id of a user, unique per app. No user id contains `$`, which marks system senders; `me` stands for the caller in a
 * path, and `.` and `..` cannot stand in one.
 */
export const userIdSchema = z
  .string()
  .regex(/^(?!(?:me|\.{1,2})$)[A-Za-z0-9_.:@-]{1,64}$/, 'a user id: 1-64 of A-Z a-z 0-9 _ . : @ -, but not me, . or ..')
  .meta({ id: 'UserId', example: 'alice' });

/** UUID in its canonical lower-case form: v7, or v8 where it is derived. One spelling only, since it is a key of caches and topics. */
export const conversationIdSchema = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a conversation id: a lower-case UUID')
  .meta({ id: 'ConversationId', example: '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e' });

/** The sender's name for a send: makes it idempotent for ever. */
export const clientMsgIdSchema = storableText(1, 64).meta({ id: 'ClientMsgId', example: 'b3c9a1' });

/** The client's own name for a device; together with app and user it owns a session. */
export const deviceIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'a device id: 1-64 of A-Z a-z 0-9 _ . : -')
  .meta({ id: 'DeviceId', example: 'phone-1' });

/** Position in a log: 1, 2, 3 … without a gap. 0 as a cursor means "before the first". */
export const seqSchema = z.int().min(0).meta({ id: 'Seq' });

/** RFC 3339 in UTC with exactly three decimals. */
export const timestampSchema = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ id: 'Timestamp', example: '2026-11-21T08:15:30.000Z' });

/** `senderId` of entries that no user wrote. */
export const SYSTEM_SENDER = '$system';

/** Who wrote an entry: a user, or `$system`. */
export const senderIdSchema = z.union([userIdSchema, z.literal(SYSTEM_SENDER)]);
