import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import { sendAnswer } from '../messages/send-answer.ts';
import type { ApiServices } from '../services.ts';

export function adminSendMessage(routes: Routes, { messages }: ApiServices): BoundRoute {
  return bind('adminSendMessage', routes.adminSendMessage, async ({ params, body }, { server }) => {
    requireScope(server, 'messages:write');
    const send = { ...body, appId: server.appId, conversationId: params.conversationId };
    return sendAnswer(send, await messages.send(send, 'on_behalf'));
  });
}
