import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function putMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('putMember', routes.putMember, async ({ params, body }, { identity }) => {
    return { status: 200, body: await memberships.put(actorOf(identity, params), params.userId, body?.role ?? null) };
  });
}
