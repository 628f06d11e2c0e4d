import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

/** Stands for the caller in the path. */
const SELF = 'me';

export function removeMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('removeMember', routes.removeMember, async ({ params }, { identity }) => {
    const actor = actorOf(identity, params);
    const own = params.userId === SELF || params.userId === identity.userId;
    return { status: 200, body: await (own ? memberships.leave(actor) : memberships.remove(actor, params.userId)) };
  });
}
