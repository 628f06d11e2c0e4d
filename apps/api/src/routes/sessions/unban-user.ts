import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function unbanUser(routes: Routes, { revocation }: ApiServices): BoundRoute {
  return bind('unbanUser', routes.unbanUser, async ({ params }, { server }) => {
    requireScope(server, 'users:write');
    return { status: 200, body: { changed: await revocation.unban(server.appId, params.userId) } };
  });
}
