import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function endSession(routes: Routes, { userSessions }: ApiServices): BoundRoute {
  return bind('endSession', routes.endSession, async ({ params }, { identity }) => {
    return { status: 200, body: { ended: await userSessions.end(identity.appId, identity.userId, params.sessionId) } };
  });
}
