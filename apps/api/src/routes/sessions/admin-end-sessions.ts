import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function adminEndSessions(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('adminEndSessions', routes.adminEndSessions, async ({ params }, { server }) => {
    requireScope(server, 'users:write');
    return { status: 200, body: { ended: await userSessions.endAll(server.appId, params.userId) } };
  });
}
