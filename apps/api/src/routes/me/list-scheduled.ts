import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listScheduled(routes: Routes, { scheduled }: ApiServices): BoundRoute {
  return bind('listScheduled', routes.listScheduled, async ({ query }, { identity }) => {
    return { status: 200, body: await scheduled.list(identity.appId, identity.userId, { cursor: query.cursor, limit: query.limit }) };
  });
}
