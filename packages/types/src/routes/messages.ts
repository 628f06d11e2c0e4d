import { z } from 'zod';
import { emojiSchema } from '../emoji.ts';
import { customTypeSchema } from '../entry.ts';
import { clientMsgIdSchema, conversationIdSchema, seqSchema, timestampSchema, userIdSchema } from '../ids.ts';
import { storableObject } from '../json.ts';
import type { Limits } from '../limits.ts';
import { changeAnswer, conversationParams, entryParams, instant } from './params.ts';
import type { Route } from './route.ts';

/**
 * What a send answers. `asSent`: the stored entry is what was sent, nothing masked or added, so a device whose cursor is `seq - 1` may
 * apply its own message without pulling it.
 */
export const sendAnswer = z
  .strictObject({ conversationId: conversationIdSchema, seq: seqSchema, createdAt: timestampSchema, asSent: z.boolean() })
  .meta({ id: 'SendAnswer' });

/** A message that waits for its time. */
const scheduledAnswer = z.strictObject({ scheduledId: z.uuid(), sendAt: timestampSchema });

const mentions = (limits: Limits) =>
  z.array(userIdSchema).max(limits.mentionsPerMessage, `at most ${limits.mentionsPerMessage} mentions (mentionsPerMessage)`);

/** What is sent. `sendAt` makes it wait; `expiresIn` seconds after it was stored its content is gone everywhere. */
export const newMessage = (limits: Limits) =>
  z.strictObject({
    clientMsgId: clientMsgIdSchema,
    type: z.union([z.literal('message'), customTypeSchema]).nullish(),
    body: storableObject(limits.jsonDepth),
    /** Seq of the entry quoted. */
    replyTo: seqSchema.min(1).nullish(),
    mentions: mentions(limits).nullish(),
    expiresIn: z.int().min(1).max(limits.expirySeconds).nullish(),
    sendAt: instant.nullish(),
  });

/** What an edit replaces a message with: absent mentions are none. */
export const messageEdit = (limits: Limits) =>
  z.strictObject({
    body: storableObject(limits.jsonDepth),
    mentions: mentions(limits).nullish(),
    clientMsgId: clientMsgIdSchema.nullish(),
    /** Refuse with `state_changed` unless the entry's `stateSeq` is still this; 0 = never changed. */
    ifStateSeq: seqSchema.nullish(),
  });

const reactionParams = entryParams.extend({ emoji: emojiSchema });
const acting = { tag: 'messages', auth: 'user', rate: 'writesPer10Seconds', answers: { 200: changeAnswer } } as const;

/** Messages and what is done to them; read and delivered positions (apps/api). */
export const messageRoutes = (limits: Limits) =>
  ({
    sendMessage: {
      method: 'POST',
      path: '/v1/conversations/{conversationId}/messages',
      summary: 'Send a message, now or at `sendAt`; the same clientMsgId again answers with the first seq',
      tag: 'messages',
      auth: 'user',
      rate: 'writesPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: newMessage(limits),
      answers: { 200: sendAnswer, 201: sendAnswer, 202: scheduledAnswer },
      errors: [
        'not_found',
        'user_unknown',
        'forbidden',
        'blocked',
        'frozen',
        'muted',
        'slow_mode',
        'client_msg_id_reused',
        'limit_reached',
        'too_large',
      ],
    },
    editMessage: {
      ...acting,
      method: 'PATCH',
      path: '/v1/conversations/{conversationId}/messages/{seq}',
      summary: 'Edit your own message',
      bodyLimit: 'httpBodyBytes',
      params: entryParams,
      body: messageEdit(limits),
      errors: [
        'not_found',
        'user_unknown',
        'forbidden',
        'blocked',
        'frozen',
        'muted',
        'client_msg_id_reused',
        'state_changed',
        'message_redacted',
        'too_large',
      ],
    },
    redactMessage: {
      ...acting,
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/messages/{seq}',
      summary: 'Remove the content of a message, everywhere and for ever; its seq stays',
      params: entryParams,
      errors: ['not_found', 'forbidden'],
    },
    addReaction: {
      ...acting,
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/messages/{seq}/reactions/{emoji}',
      summary: 'React with an emoji (percent-encoded); one of each per user',
      params: reactionParams,
      errors: ['not_found', 'blocked', 'frozen', 'muted', 'message_redacted', 'limit_reached'],
    },
    removeReaction: {
      ...acting,
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/messages/{seq}/reactions/{emoji}',
      summary: 'Take your reaction back',
      params: reactionParams,
      errors: ['not_found', 'blocked', 'frozen', 'muted', 'message_redacted'],
    },
    pinMessage: {
      ...acting,
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/messages/{seq}/pin',
      summary: 'Pin a message',
      params: entryParams,
      errors: ['not_found', 'forbidden', 'blocked', 'frozen', 'muted', 'message_redacted', 'limit_reached'],
    },
    unpinMessage: {
      ...acting,
      method: 'DELETE',
      path: '/v1/conversations/{conversationId}/messages/{seq}/pin',
      summary: 'Unpin a message',
      params: entryParams,
      errors: ['not_found', 'forbidden', 'blocked', 'frozen', 'muted', 'message_redacted'],
    },
    markRead: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/read',
      summary: 'Move your read position forward; it never moves back and is clamped to the head',
      tag: 'messages',
      auth: 'user',
      rate: 'marksPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: z.strictObject({ seq: seqSchema }),
      answers: { 200: z.strictObject({ readSeq: seqSchema, unread: z.int().min(0) }) },
      errors: ['not_found'],
    },
    markDelivered: {
      method: 'PUT',
      path: '/v1/conversations/{conversationId}/delivered',
      summary: 'Say how far a device of yours has received; it never moves back and is clamped to the head',
      tag: 'messages',
      auth: 'user',
      rate: 'marksPer10Seconds',
      bodyLimit: 'httpBodyBytes',
      params: conversationParams,
      body: z.strictObject({ seq: seqSchema }),
      answers: { 200: z.strictObject({ deliveredSeq: seqSchema }) },
      errors: ['not_found'],
    },
  }) as const satisfies Record<string, Route>;
