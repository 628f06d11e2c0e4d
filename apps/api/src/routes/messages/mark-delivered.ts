import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function markDelivered(routes: Routes, { readPositions }: ApiServices): BoundRoute {
  return bind('markDelivered', routes.markDelivered, async ({ params, body }, { identity }) => {
    const { appId, userId } = identity;
    const input = { appId, userId, conversationId: params.conversationId, seq: body.seq };
    return { status: 200, body: await readPositions.markDelivered(input) };
  });
}
