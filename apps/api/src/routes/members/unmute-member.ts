import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function unmuteMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('unmuteMember', routes.unmuteMember, async ({ params }, { identity }) => {
    return { status: 200, body: await memberships.unmute(actorOf(identity, params), params.userId) };
  });
}
