import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function updateApp(routes: Routes, { appSettings }: ApiServices): BoundRoute {
  return bind('updateApp', routes.updateApp, async ({ body }, { server }) => {
    requireScope(server, 'app:write');
    return { status: 200, body: { settings: await appSettings.change(server.appId, body) } };
  });
}
