import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function unblockUser(routes: Routes, { blocks }: ApiServices): BoundRoute {
  return bind('unblockUser', routes.unblockUser, async ({ params }, { identity }) => {
    return { status: 200, body: { changed: await blocks.unblock(identity.appId, identity.userId, params.userId) } };
  });
}
