import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { Services } from '../services.ts';

/** `POST /v1/sync`. */
export function sync(route: Routes['sync'], services: Services): BoundRoute {
  return bind('sync', route, async ({ body }, context) => {
    const { appId, userId } = context.identity;
    const epoch = services.directory.epochOf(appId);
    return { status: 200, json: await services.sync.answer({ appId, userId, epoch }, body, context.signal) };
  });
}
