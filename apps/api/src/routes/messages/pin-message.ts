import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function pinMessage(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('pinMessage', routes.pinMessage, async ({ params }, { identity }) => {
    return { status: 200, body: await messageChanges.pin(actorOf(identity, params), params.seq, true) };
  });
}
