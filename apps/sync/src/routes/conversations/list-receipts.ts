import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { within } from '../../services/waiting.ts';
import type { Services } from '../services.ts';

/** Receipts on a page when the request does not say. */
const DEFAULT_LIMIT = 50;

/** `GET /v1/sync/conversations/{conversationId}/receipts`. */
export function listReceipts(route: Routes['listReceipts'], { details, limits, patience }: Services): BoundRoute {
  const defaultLimit = Math.min(DEFAULT_LIMIT, limits.pageEntries);
  return bind('listReceipts', route, async ({ params: { conversationId }, query }, { identity: { appId, userId }, signal }) => {
    const { seq, cursor, limit = defaultLimit } = query;
    return { status: 200, body: await within(details.receipts({ appId, userId, conversationId, seq, cursor, limit }), patience(signal)) };
  });
}
