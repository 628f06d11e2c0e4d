import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { within } from '../../services/waiting.ts';
import type { Services } from '../services.ts';

/** Heads on a page when the request does not say. */
const DEFAULT_LIMIT = 50;

/** `GET /v1/sync/conversations`. `epoch` and `serverTime` lie before everything the list was read from. */
export function listHeads(route: Routes['listHeads'], { heads, directory, limits, now, patience }: Services): BoundRoute {
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.pageEntries);
  return bind('listHeads', route, async ({ query }, { identity: { appId, userId }, signal }) => {
    const epoch = directory.epochOf(appId);
    const serverTime = new Date(now()).toISOString();
    const asked = { appId, userId, limit: query.limit ?? defaultLimit, cursor: query.cursor, since: undefined };
    const page = await within(heads.list(asked), patience(signal));
    return { status: 200, body: { epoch, serverTime, ...page } };
  });
}
