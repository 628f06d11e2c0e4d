import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function listVersions(routes: Routes, { messageVersions }: ApiServices): BoundRoute {
  return bind('listVersions', routes.listVersions, async ({ params, query }, { server }) => {
    requireScope(server, 'messages:read');
    const entry = { appId: server.appId, ...params };
    return { status: 200, body: await messageVersions.page(entry, query.cursor ?? 0, query.limit ?? 50) };
  });
}
