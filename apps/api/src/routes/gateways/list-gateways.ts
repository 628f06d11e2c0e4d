import { type BoundRoute, bind } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listGateways(routes: Routes, { dispatcher }: ApiServices): BoundRoute {
  return bind('listGateways', routes.listGateways, async ({ query }) => {
    return { status: 200, body: dispatcher.gatewaysFor(query.network ?? 'wifi') };
  });
}
