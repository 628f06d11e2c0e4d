import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { Services } from '../services.ts';

/** `GET /v1/me/unread`. */
export function getUnread(route: Routes['getUnread'], { heads }: Services): BoundRoute {
  return bind('getUnread', route, async (_, { identity: { appId, userId } }) => ({ status: 200, body: await heads.unread(appId, userId) }));
}
