import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function getUsers(routes: Routes, { profiles }: ApiServices): BoundRoute {
  return bind('getUsers', routes.getUsers, async ({ query }, { identity }) => {
    return { status: 200, body: { users: await profiles.of(identity.appId, query.ids) } };
  });
}
