import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function editMessage(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('editMessage', routes.editMessage, async ({ params, body }, { identity }) => {
    return { status: 200, body: await messageChanges.edit(actorOf(identity, params), params.seq, body) };
  });
}
