import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { within } from '../../services/waiting.ts';
import type { Services } from '../services.ts';

/** Reactions on a page when the request does not say. */
const DEFAULT_LIMIT = 50;

/** `GET /v1/sync/conversations/{conversationId}/entries/{seq}/reactions`. */
export function listReactions(route: Routes['listReactions'], { details, limits, patience }: Services): BoundRoute {
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.pageEntries);
  return bind('listReactions', route, async ({ params: { conversationId, seq }, query }, { identity: { appId, userId }, signal }) => {
    const { emoji, cursor, limit = defaultLimit } = query;
    const asked = { appId, userId, conversationId, seq, emoji, cursor, limit };
    return { status: 200, body: await within(details.reactions(asked), patience(signal)) };
  });
}
