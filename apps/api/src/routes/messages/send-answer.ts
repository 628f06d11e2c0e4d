import type { Send, Sent } from '../../services/messages/messages.ts';

/** 201 for what was sent now, 200 for what had been before. */
export function sendAnswer({ conversationId }: Pick<Send, 'conversationId'>, { seq, createdAt, asSent, repeated }: Sent) {
  const body = { conversationId, seq, createdAt, asSent };
  return repeated ? { status: 200 as const, body } : { status: 201 as const, body };
}
