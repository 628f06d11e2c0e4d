import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import { serverActor } from '../../services/conversations/actor.ts';
import type { ApiServices } from '../services.ts';

export function adminUpdateConversation(routes: Routes, { conversationChanges }: ApiServices): BoundRoute {
  return bind('adminUpdateConversation', routes.adminUpdateConversation, async ({ params, body }, { server }) => {
    requireScope(server, 'conversations:write');
    const actor = serverActor(server.appId, params.conversationId);
    return { status: 200, body: await conversationChanges.update(actor, body) };
  });
}
