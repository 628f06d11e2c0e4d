import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listMembers(routes: Routes, { conversations }: ApiServices): BoundRoute {
  return bind('listMembers', routes.listMembers, async ({ params, query }, { identity }) => {
    const page = { cursor: query.cursor, limit: query.limit };
    const { items, version, nextCursor } = await conversations.members(identity.appId, params.conversationId, identity.userId, page);
    return { status: 200, body: { items, version, ...(nextCursor === null ? {} : { nextCursor }) } };
  });
}
