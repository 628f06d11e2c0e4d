import { type BoundRoute, bind, type Identity } from '@nudge/server-kit';
import type { RouteInput, Routes } from '@nudge/types';
import type { Send } from '../../services/messages/messages.ts';
import type { ApiServices } from '../services.ts';
import { sendAnswer } from './send-answer.ts';

export function sendMessage(routes: Routes, { messages }: ApiServices): BoundRoute {
  return bind('sendMessage', routes.sendMessage, {
    async handle(input, { identity }) {
      const send = sendOf(input, identity);
      const { sendAt } = input.body;
      if (sendAt === undefined || sendAt === null) return sendAnswer(send, await messages.send(send));
      const outcome = await messages.sendLater({ ...send, sendAt });
      return 'scheduledId' in outcome ? { status: 202, body: outcome } : sendAnswer(send, outcome);
    },
    async overLimit(input, { identity }) {
      const send = sendOf(input, identity);
      const before = await messages.sentBefore(send);
      return before === undefined ? undefined : sendAnswer(send, before);
    },
  });
}

function sendOf({ params, body }: RouteInput<Routes['sendMessage']>, { appId, userId }: Identity): Send {
  return { ...body, appId, conversationId: params.conversationId, senderId: userId };
}
