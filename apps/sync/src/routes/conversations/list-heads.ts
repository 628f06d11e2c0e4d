import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { Services } from '../services.ts';

/** Heads on a page when the request does not say. */
const DEFAULT_LIMIT = 50;

/** `GET /v1/sync/conversations`. `serverTime` lies before everything the list was read from. */
export function listHeads(route: Routes['listHeads'], { heads, directory, limits, now }: Services): BoundRoute {
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.pageEntries);
  return bind('listHeads', route, async ({ query }, { identity: { appId, userId } }) => {
    const serverTime = new Date(now()).toISOString();
    const page = await heads.list({ appId, userId, limit: query.limit ?? defaultLimit, cursor: query.cursor, since: undefined });
    return { status: 200, body: { epoch: directory.epochOf(appId), serverTime, ...page } };
  });
}
