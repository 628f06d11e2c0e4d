import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { within } from '../../services/waiting.ts';
import type { Services } from '../services.ts';

/** `GET /v1/me/unread`. */
export function getUnread(route: Routes['getUnread'], { heads, patience }: Services): BoundRoute {
  return bind('getUnread', route, async (_, { identity: { appId, userId }, signal }) => {
    return { status: 200, body: await within(heads.unread(appId, userId), patience(signal)) };
  });
}
