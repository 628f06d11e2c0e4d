import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function mintUserToken(routes: Routes, { users }: ApiServices): BoundRoute {
  return bind('mintToken', routes.mintToken, async ({ params, body }, { server }) => {
    requireScope(server, 'tokens:mint');
    const { token, expiresAt } = await users.mint(server.appId, params.userId, body?.ttlSeconds ?? undefined);
    return { status: 201, body: { token, expiresAt: new Date(expiresAt).toISOString() } };
  });
}
