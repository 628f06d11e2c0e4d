import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function adminListSessions(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('adminListSessions', routes.adminListSessions, async ({ params }, { server }) => {
    requireScope(server, 'users:read');
    return { status: 200, body: { sessions: await userSessions.list(server.appId, params.userId) } };
  });
}
