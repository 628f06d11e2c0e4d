import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { newestWindow, type Window } from '../../services/window.ts';
import type { Services } from '../services.ts';

/** Entries on a page when the request does not say. */
const DEFAULT_LIMIT = 50;

/** `GET /v1/sync/conversations/{conversationId}/entries`. A page from the tail is answered without a turn of the event loop. */
export function listEntries(route: Routes['listEntries'], { entries, directory, limits }: Services): BoundRoute {
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.pageEntries);
  return bind('listEntries', route, async ({ params, query }, context) => {
    const { appId, userId } = context.identity;
    const asked = {
      appId,
      userId,
      epoch: directory.epochOf(appId),
      conversationId: params.conversationId,
      window: windowOf(query.after, query.before, query.limit ?? defaultLimit),
      min: query.min,
    };
    const page = entries.cached(asked) ?? (await entries.list(asked, context.signal));
    return { status: 200, json: page.json };
  });
}

function windowOf(after: number | undefined, before: number | undefined, limit: number): Window {
  if (after !== undefined) return { kind: 'after', seq: after, limit };
  return before === undefined ? newestWindow(limit) : { kind: 'before', seq: before, limit };
}
