import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function adminCreateConversation(routes: Routes, { conversations }: ApiServices): BoundRoute {
  return bind('adminCreateConversation', routes.adminCreateConversation, async ({ body }, { server }) => {
    requireScope(server, 'conversations:write');
    const { createdBy, ...request } = body;
    const { created, conversation } = await conversations.createFor(server.appId, createdBy, request);
    const answer = { conversation };
    return created ? { status: 201, body: answer } : { status: 200, body: answer };
  });
}
