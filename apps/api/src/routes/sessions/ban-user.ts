import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function banUser(routes: Routes, { revocation }: ApiServices): BoundRoute {
  return bind('banUser', routes.banUser, async ({ params, body }, { server }) => {
    requireScope(server, 'users:write');
    const until = await revocation.ban(server.appId, params.userId, body?.until == null ? null : new Date(body.until));
    return { status: 200, body: { bannedUntil: until?.toISOString() ?? null } };
  });
}
