import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function getPresence(routes: Routes, { presences }: ApiServices): BoundRoute {
  return bind('getPresence', routes.getPresence, async ({ query }, { identity }) => {
    return { status: 200, body: { presence: await presences.of(identity.appId, identity.userId, query.users) } };
  });
}
