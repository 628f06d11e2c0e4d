import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import { serverActor } from '../../services/conversations/actor.ts';
import type { ApiServices } from '../services.ts';

export function adminEditMessage(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('adminEditMessage', routes.adminEditMessage, async ({ params, body }, { server }) => {
    requireScope(server, 'messages:write');
    const actor = serverActor(server.appId, params.conversationId);
    return { status: 200, body: await messageChanges.edit(actor, params.seq, body) };
  });
}
