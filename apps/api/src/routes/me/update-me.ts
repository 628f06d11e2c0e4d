import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function updateMe(routes: Routes, { profiles }: ApiServices): BoundRoute {
  return bind('updateMe', routes.updateMe, async ({ body }, { identity }) => {
    return { status: 200, body: { me: await profiles.change(identity.appId, identity.userId, body) } };
  });
}
