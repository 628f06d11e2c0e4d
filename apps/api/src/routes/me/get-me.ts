import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function getMe(routes: Routes, { profiles }: ApiServices): BoundRoute {
  return bind('getMe', routes.getMe, async (_input, { identity }) => {
    return { status: 200, body: { me: await profiles.own(identity.appId, identity.userId) } };
  });
}
