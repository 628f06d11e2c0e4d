import { z } from 'zod';

/**
 * Every error the product answers with, over HTTP (as `application/problem+json`, RFC 9457) and over the socket (as `code` of a
 * refused acknowledgement or handshake). `retryable` means: the same request may succeed later, unchanged.
 */
export const errorRegistry = {
  invalid_request: { status: 400, retryable: false, title: 'The request does not have the form this route accepts' },
  user_unknown: {
    status: 400,
    retryable: false,
    title: 'A user named in the request does not exist in this app, or is no member of the conversation',
  },
  token_missing: { status: 401, retryable: false, title: 'A bearer token is required' },
  token_invalid: { status: 401, retryable: false, title: 'The token is not valid here' },
  token_expired: { status: 401, retryable: false, title: 'The token has expired' },
  token_revoked: { status: 401, retryable: false, title: 'The token has been revoked' },
  forbidden: { status: 403, retryable: false, title: 'Your role does not allow this' },
  muted: { status: 403, retryable: false, title: 'You are muted in this conversation' },
  frozen: { status: 403, retryable: false, title: 'The conversation is read-only' },
  blocked: { status: 403, retryable: false, title: 'The recipient does not accept messages from you' },
  user_banned: { status: 403, retryable: false, title: 'The user is banned from the app' },
  origin_forbidden: { status: 403, retryable: false, title: 'This origin may not open a socket here' },
  not_found: { status: 404, retryable: false, title: 'There is nothing here that you may see' },
  method_not_allowed: { status: 405, retryable: false, title: 'The route exists, but not for this method' },
  request_timeout: { status: 408, retryable: true, title: 'The request did not arrive in time' },
  client_msg_id_reused: { status: 409, retryable: false, title: 'This clientMsgId was used for another message' },
  state_changed: { status: 409, retryable: false, title: 'The entry has changed since you read it' },
  message_redacted: { status: 409, retryable: false, title: 'The message was redacted or has expired: nothing can be added to it' },
  limit_reached: { status: 409, retryable: false, title: 'There are as many as there may be: remove one first' },
  seq_ahead: { status: 409, retryable: false, title: 'The log has not reached the seq you name: drop the log and start it again' },
  last_owner: { status: 409, retryable: false, title: 'The last owner cannot leave or step down while others remain' },
  too_large: { status: 413, retryable: false, title: 'The request is larger than its limit' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The body must be application/json in UTF-8' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  slow_mode: { status: 429, retryable: true, title: 'Slow mode: wait before the next message' },
  too_many_sessions: { status: 429, retryable: true, title: 'The user has too many live sessions' },
  internal: { status: 500, retryable: true, title: 'The server failed to handle the request' },
  not_caught_up: { status: 503, retryable: true, title: 'The log has not arrived here yet' },
  overloaded: { status: 503, retryable: true, title: 'The server has more to do than it can: come back later' },
  draining: { status: 503, retryable: true, title: 'The server is about to stop: connect to another one' },
  database_unavailable: { status: 503, retryable: true, title: 'The database does not answer' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

/** A registered error code. */
export type ErrorCode = keyof typeof errorRegistry;

/** The codes as a tuple, for schemas. */
export const errorCodes = Object.keys(errorRegistry) as [ErrorCode, ...ErrorCode[]];

/** What a failing request is answered with (RFC 9457). `issues` names the fields at fault, `requestId` finds the log line. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.enum(errorCodes),
    retryable: z.boolean(),
    requestId: z.string(),
    issues: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

/** See {@link problemSchema}. */
export type Problem = z.infer<typeof problemSchema>;

/**
 * Why the server ends a socket. 3000-3499: come back after the delay, with the same credentials. 3500-3999: do not come back
 * without a change (a new token, a fixed client). Announced as `control {type: 'disconnect', code, reason}` before the close.
 */
export const disconnectRegistry = {
  draining: 3000,
  slow_consumer: 3001,
  overloaded: 3002,
  too_many_events: 3003,
  token_expired: 3500,
  token_revoked: 3501,
  protocol_error: 3502,
  session_replaced: 3503,
  kicked: 3504,
} as const satisfies Record<string, number>;

/** Name of a reason to end a socket. */
export type DisconnectReason = keyof typeof disconnectRegistry;

/** Whether a client that was disconnected with `code` may come back by itself. */
export function mayReconnect(code: number): boolean {
  return code < 3500;
}
