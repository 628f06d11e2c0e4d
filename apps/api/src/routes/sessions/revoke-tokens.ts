import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function revokeTokens(routes: Routes, { revocation }: ApiServices): BoundRoute {
  return bind('revokeTokens', routes.revokeTokens, async ({ params }, { server }) => {
    requireScope(server, 'users:write');
    const validAfter = await revocation.revokeTokens(server.appId, params.userId);
    return { status: 200, body: { tokensValidAfter: new Date(validAfter).toISOString() } };
  });
}
