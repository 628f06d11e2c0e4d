import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { requireScope } from '../../services/admin/scope.ts';
import type { ApiServices } from '../services.ts';

export function createNotice(routes: Routes, { notices }: ApiServices): BoundRoute {
  return bind('createNotice', routes.createNotice, async ({ params, body }, { server }) => {
    requireScope(server, 'users:write');
    return { status: 201, body: { noticeId: await notices.create(server.appId, params.userId, body.id, body.body) } };
  });
}
