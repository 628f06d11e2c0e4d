import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { actorOf } from '../actor.ts';
import type { ApiServices } from '../services.ts';

export function redactMessage(routes: Routes, { messageChanges }: ApiServices): BoundRoute {
  return bind('redactMessage', routes.redactMessage, async ({ params }, { identity }) => {
    return { status: 200, body: await messageChanges.redact(actorOf(identity, params), params.seq) };
  });
}
