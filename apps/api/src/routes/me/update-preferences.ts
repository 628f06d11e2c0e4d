import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function updatePreferences(routes: Routes, { preferences }: ApiServices): BoundRoute {
  return bind('updatePreferences', routes.updatePreferences, async ({ params, body }, { identity }) => {
    const changed = await preferences.change(identity.appId, identity.userId, params.conversationId, body);
    return { status: 200, body: { preferences: changed } };
  });
}
