import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function updateConversation(routes: Routes, { conversationChanges }: ApiServices): BoundRoute {
  return bind('updateConversation', routes.updateConversation, async ({ params, body }, { identity }) => {
    return { status: 200, body: await conversationChanges.update(actorOf(identity, params), body) };
  });
}
