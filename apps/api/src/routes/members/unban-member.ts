import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function unbanMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('unbanMember', routes.unbanMember, async ({ params }, { identity }) => {
    return { status: 200, body: await memberships.unban(actorOf(identity, params), params.userId) };
  });
}
