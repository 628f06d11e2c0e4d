import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function removeReaction(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('removeReaction', routes.removeReaction, async ({ params }, { identity }) => {
    return { status: 200, body: await messageChanges.react(actorOf(identity, params), params.seq, params.emoji, false) };
  });
}
