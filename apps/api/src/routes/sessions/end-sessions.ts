import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function endSessions(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('endSessions', routes.endSessions, async ({ query }, { identity }) => {
    return { status: 200, body: { ended: await userSessions.endAll(identity.appId, identity.userId, query.except) } };
  });
}
