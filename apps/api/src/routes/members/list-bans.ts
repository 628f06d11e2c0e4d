import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function listBans(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('listBans', routes.listBans, async ({ params, query }, { identity }) => {
    const page = { cursor: query.cursor, limit: query.limit };
    const { items, nextCursor } = await memberships.bans(actorOf(identity, params), page);
    return { status: 200, body: { items, ...(nextCursor === null ? {} : { nextCursor }) } };
  });
}
