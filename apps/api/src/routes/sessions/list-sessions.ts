import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listSessions(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('listSessions', routes.listSessions, async (_input, { identity }) => {
    return { status: 200, body: { sessions: await userSessions.list(identity.appId, identity.userId) } };
  });
}
