import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function putMember(routes: Routes, { memberships }: ApiServices): BoundRoute {
  return bind('putMember', routes.putMember, async ({ params, body }, { identity }) => {
    const actor = { appId: identity.appId, userId: identity.userId, conversationId: params.conversationId };
    return { status: 200, body: { ...(await memberships.put(actor, params.userId, body?.role ?? null)) } };
  });
}
