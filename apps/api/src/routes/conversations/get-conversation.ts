import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function getConversation(routes: Routes, { conversations }: ApiServices): BoundRoute {
  return bind('getConversation', routes.getConversation, async ({ params }, { identity }) => {
    const conversation = await conversations.get(identity.appId, params.conversationId, identity.userId);
    return { status: 200, body: { conversation } };
  });
}
