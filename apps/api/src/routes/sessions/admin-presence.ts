import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function adminPresence(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('adminPresence', routes.adminPresence, async ({ body }, { server }) => {
    requireScope(server, 'users:read');
    return { status: 200, body: { presence: await userSessions.presence(server.appId, body.userIds) } };
  });
}
