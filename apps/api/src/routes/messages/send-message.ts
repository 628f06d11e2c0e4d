import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function sendMessage(routes: Routes, { messages }: ApiServices): BoundRoute {
  return bind('sendMessage', routes.sendMessage, async ({ params, body }, { identity }) => {
    const { conversationId } = params;
    const { appId, userId: senderId } = identity;
    const { seq, createdAt, repeated } = await messages.send({
      appId,
      conversationId,
      senderId,
      clientMsgId: body.clientMsgId,
      body: body.body,
    });
    const answer = { conversationId, seq, createdAt, asSent: true };
    return repeated ? { status: 200, body: answer } : { status: 201, body: answer };
  });
}
