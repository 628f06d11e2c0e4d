import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function createConversation(routes: Routes, { conversations }: ApiServices): BoundRoute {
  return bind('createConversation', routes.createConversation, async ({ body }, { identity }) => {
    const { created, conversation } = await conversations.create(identity.appId, identity.userId, body);
    const answer = { conversation };
    return created ? { status: 201, body: answer } : { status: 200, body: answer };
  });
}
