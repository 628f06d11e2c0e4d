import { z } from 'zod';
import { type ErrorCode, errorCodes } from './errors.ts';
import { heartbeatSchema } from './gateways.ts';
import { conversationIdSchema, deviceIdSchema, seqSchema, timestampSchema, userIdSchema } from './ids.ts';
import { storableObject, storableText } from './json.ts';
import type { Limits } from './limits.ts';
import { logKeySchema } from './log-key.ts';

/** Path of the socket.io endpoint; the only transport is `websocket`. */
export const SOCKET_PATH = '/socket.io';

/** How long a `typing` holds without being repeated, ms. */
export const TYPING_TTL_MS = 6_000;

/** Kind of device, the integrator's own word. */
export const platformSchema = z.string().regex(/^[a-z0-9_-]{1,16}$/, 'a platform: 1-16 of a-z 0-9 _ -');

/** `auth` of the handshake. `sessionId` asks to resume; it is bound to (app, user, device) and to the gateway that gave it. */
export const handshakeAuthSchema = z.strictObject({
  token: z.string().min(1).max(4_096),
  deviceId: deviceIdSchema,
  sessionId: z.uuid().nullish(),
  client: storableText(0, 64).nullish(),
  /** What an app's rule of one session per platform goes by: `web`, `ios`, whatever the integrator calls it. */
  platform: platformSchema.nullish(),
});
export type HandshakeAuth = z.infer<typeof handshakeAuthSchema>;

/** Sent once, after the bus subscription is confirmed: no key from here on is missed. */
export const welcomeSchema = z.strictObject({
  sessionId: z.uuid(),
  gatewayId: z.string(),
  resumed: z.boolean(),
  epoch: z.int().min(1),
  heartbeat: heartbeatSchema,
  serverTime: timestampSchema,
});
export type Welcome = z.infer<typeof welcomeSchema>;

/**
 * These logs have reached these seqs. `resync`: keys were lost or collapsed, ask for everything. `traceparent` (W3C Trace Context): only from a
 * server that traces, of the newest send among the keys; a client that sends it back as a header with its pull shows up in that trace.
 */
export const notifySchema = z.strictObject({
  keys: z.array(logKeySchema),
  resync: z.literal(true).optional(),
  traceparent: z.string().optional(),
});
export type Notify = z.infer<typeof notifySchema>;

export const presenceStatusSchema = z.enum(['online', 'away', 'offline']).meta({ id: 'PresenceStatus' });
export type PresenceStatus = z.infer<typeof presenceStatusSchema>;

export const typingSchema = z.strictObject({
  conversationId: conversationIdSchema,
  userId: userIdSchema,
  active: z.boolean(),
  ttlMs: z.int(),
});
export type Typing = z.infer<typeof typingSchema>;

export const presenceSchema = z.strictObject({
  userId: userIdSchema,
  status: presenceStatusSchema,
  lastSeenAt: timestampSchema.nullish(),
});
export type Presence = z.infer<typeof presenceSchema>;

/** A member has read or received up to a seq. */
export const receiptSchema = z.strictObject({
  conversationId: conversationIdSchema,
  userId: userIdSchema,
  readSeq: seqSchema.nullish(),
  deliveredSeq: seqSchema.nullish(),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** Name of a custom event, the integrator's own. */
export const eventNameSchema = z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'an event name: 1-64 of A-Z a-z 0-9 _ . : -');

/** The integrator's own event, passed on to those who watch the conversation and kept nowhere. */
export const customEventSchema = z.strictObject({
  conversationId: conversationIdSchema,
  userId: userIdSchema,
  name: eventNameSchema,
  payload: z.record(z.string(), z.unknown()),
});
export type CustomEvent = z.infer<typeof customEventSchema>;

/** What the server asks of the client. `disconnect` precedes every close by the server. */
export const controlSchema = z.strictObject({
  type: z.enum(['reconnect', 'disconnect', 'token_expiring']),
  code: z.int().nullish(),
  reason: z.string().nullish(),
  retryAfterMs: z.int().nullish(),
  target: z.string().nullish(),
});
export type Control = z.infer<typeof controlSchema>;

/** A refused acknowledgement; also `err.data` of a refused handshake (without `ok`). */
export const refusalSchema = z.strictObject({
  ok: z.literal(false),
  code: z.enum(errorCodes),
  retryable: z.boolean(),
  retryAfterMs: z.int().nullish(),
});
export type Refusal = z.infer<typeof refusalSchema>;

/** Payloads a client may send, by event. Every one is validated against these at the gateway's edge. */
export const clientEventSchemas = (limits: Limits) => ({
  watch: z.strictObject({ conversationIds: z.array(conversationIdSchema).min(1).max(limits.watchedConversations) }),
  unwatch: z.strictObject({ conversationIds: z.array(conversationIdSchema).min(1).max(limits.watchedConversations) }),
  'presence.watch': z.strictObject({ userIds: z.array(userIdSchema).max(limits.watchedUsers) }),
  'presence.set': z.strictObject({ status: z.enum(['online', 'away']) }),
  reauth: z.strictObject({ token: z.string().min(1).max(4_096) }),
  typing: z.strictObject({ conversationId: conversationIdSchema, active: z.boolean() }),
  event: z.strictObject({
    conversationId: conversationIdSchema,
    name: eventNameSchema,
    payload: storableObject(limits.jsonDepth).refine(
      (payload) => new TextEncoder().encode(JSON.stringify(payload)).length <= limits.eventPayloadBytes,
      `at most ${limits.eventPayloadBytes} bytes (eventPayloadBytes)`,
    ),
  }),
});
export type ClientEventSchemas = ReturnType<typeof clientEventSchemas>;
export type ClientEventName = keyof ClientEventSchemas;
export type ClientPayload<Name extends ClientEventName> = z.infer<ClientEventSchemas[Name]>;

/** What an acknowledged event answers on success. `typing` and `event` have no acknowledgement. */
export const ackSchemas = {
  watch: z.strictObject({
    ok: z.literal(true),
    heads: z.record(conversationIdSchema, seqSchema),
    refused: z.record(conversationIdSchema, z.enum(errorCodes)),
  }),
  unwatch: z.strictObject({ ok: z.literal(true) }),
  /** The present status of each watched user; changes follow as `presence` events. The list replaces the previous one. */
  'presence.watch': z.strictObject({ ok: z.literal(true), presence: z.array(presenceSchema) }),
  'presence.set': z.strictObject({ ok: z.literal(true) }),
  reauth: z.strictObject({ ok: z.literal(true), expiresAt: timestampSchema }),
} as const;
export type AckedEventName = keyof typeof ackSchemas;
export type Ack<Name extends AckedEventName> = z.infer<(typeof ackSchemas)[Name]> | Refusal;

/** socket.io's typed events, server to client. */
export interface ServerToClientEvents {
  welcome: (welcome: Welcome) => void;
  notify: (notify: Notify) => void;
  typing: (typing: Typing) => void;
  presence: (presence: Presence) => void;
  receipt: (receipt: Receipt) => void;
  event: (event: CustomEvent) => void;
  control: (control: Control) => void;
}

/** socket.io's typed events, client to server. */
export type ClientToServerEvents = {
  [Name in AckedEventName]: (payload: ClientPayload<Name>, ack: (answer: Ack<Name>) => void) => void;
} & {
  typing: (payload: ClientPayload<'typing'>) => void;
  event: (payload: ClientPayload<'event'>) => void;
};

/** `err.data` of a refused handshake. */
export interface HandshakeRefusal {
  code: ErrorCode;
  retryable: boolean;
  retryAfterMs?: number;
}
