import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function upsertUsers(routes: Routes, { users }: ApiServices): BoundRoute {
  return bind('upsertUsers', routes.upsertUsers, async ({ body }, { server }) => {
    requireScope(server, 'users:write');
    return { status: 200, body: { count: await users.upsert(server.appId, body.users) } };
  });
}
