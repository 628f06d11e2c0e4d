import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import { serverActor } from '../../services/conversations/actor.ts';
import type { ApiServices } from '../services.ts';

export function adminRedactMessage(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('adminRedactMessage', routes.adminRedactMessage, async ({ params }, { server }) => {
    requireScope(server, 'messages:write');
    const actor = serverActor(server.appId, params.conversationId);
    return { status: 200, body: await messageChanges.redact(actor, params.seq) };
  });
}
