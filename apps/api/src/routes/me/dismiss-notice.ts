import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function dismissNotice(routes: Routes, { notices }: ApiServices): BoundRoute {
  return bind('dismissNotice', routes.dismissNotice, async ({ params }, { identity }) => {
    return { status: 200, body: { changed: await notices.dismiss(identity.appId, identity.userId, params.noticeId) } };
  });
}
