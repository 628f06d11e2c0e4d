import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function muteMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('muteMember', routes.muteMember, async ({ params, body }, { identity }) => {
    return { status: 200, body: await memberships.mute(actorOf(identity, params), params.userId, body?.seconds ?? null) };
  });
}
