import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function banMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('banMember', routes.banMember, async ({ params, body }, { identity }) => {
    return { status: 200, body: await memberships.ban(actorOf(identity, params), params.userId, body?.seconds ?? null) };
  });
}
