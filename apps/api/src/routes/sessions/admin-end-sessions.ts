import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function adminEndSessions(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('adminEndSessions', routes.adminEndSessions, async ({ params: { userId }, query: { deviceId } }, { server }) => {
    requireScope(server, 'users:write');
    const { appId } = server;
    const ended = deviceId === undefined ? userSessions.endAll(appId, userId) : userSessions.endDevice(appId, userId, deviceId);
    return { status: 200, body: { ended: await ended } };
  });
}
