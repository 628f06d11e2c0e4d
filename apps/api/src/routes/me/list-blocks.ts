import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listBlocks(routes: Routes, { blocks }: ApiServices): BoundRoute {
  return bind('listBlocks', routes.listBlocks, async ({ query }, { identity }) => {
    return { status: 200, body: await blocks.list(identity.appId, identity.userId, { cursor: query.cursor, limit: query.limit }) };
  });
}
