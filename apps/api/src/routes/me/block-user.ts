import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function blockUser(routes: Routes, { blocks }: ApiServices): BoundRoute {
  return bind('blockUser', routes.blockUser, async ({ params }, { identity }) => {
    return { status: 200, body: { changed: await blocks.block(identity.appId, identity.userId, params.userId) } };
  });
}
