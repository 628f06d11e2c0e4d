import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function cancelScheduled(routes: Routes, { scheduled }: ApiServices): BoundRoute {
  return bind('cancelScheduled', routes.cancelScheduled, async ({ params }, { identity }) => {
    return { status: 200, body: { changed: await scheduled.cancel(identity.appId, identity.userId, params.scheduledId) } };
  });
}
