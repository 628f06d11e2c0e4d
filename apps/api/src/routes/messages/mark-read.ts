import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function markRead(routes: Routes, { readPositions }: ApiServices): BoundRoute {
  return bind('markRead', routes.markRead, async ({ params, body }, { identity }) => {
    const { appId, userId } = identity;
    const position = await readPositions.mark({ appId, userId, conversationId: params.conversationId, seq: body.seq });
    return { status: 200, body: position };
  });
}
