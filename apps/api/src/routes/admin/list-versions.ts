import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function listVersions(routes: Routes, { messageVersions }: ApiServices): BoundRoute {
  return bind('listVersions', routes.listVersions, async ({ params }, { server }) => {
    requireScope(server, 'messages:read');
    return { status: 200, body: { versions: await messageVersions.of(server.appId, params.conversationId, params.seq) } };
  });
}
