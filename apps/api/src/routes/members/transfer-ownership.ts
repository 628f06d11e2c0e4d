import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function transferOwnership(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('transferOwnership', routes.transferOwnership, async ({ params, body }, { identity }) => {
    return { status: 200, body: await memberships.transfer(actorOf(identity, params), body.userId) };
  });
}
