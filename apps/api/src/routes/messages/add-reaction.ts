import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function addReaction(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('addReaction', routes.addReaction, async ({ params }, { identity }) => {
    return { status: 200, body: await messageChanges.react(actorOf(identity, params), params.seq, params.emoji, true) };
  });
}
