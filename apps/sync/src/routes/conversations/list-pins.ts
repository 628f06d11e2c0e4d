import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { within } from '../../services/waiting.ts';
import type { Services } from '../services.ts';

/** `GET /v1/sync/conversations/{conversationId}/pins`. */
export function listPins(route: Routes['listPins'], { details, patience }: Services): BoundRoute {
  return bind('listPins', route, async ({ params: { conversationId } }, { identity: { appId, userId }, signal }) => {
    return { status: 200, json: await within(details.pins({ appId, userId, conversationId }), patience(signal)) };
  });
}
