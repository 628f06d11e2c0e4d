import { type BoundRoute, bind } from '@nudge/server-kit';
import { DEFAULT_NETWORK, type Routes } from '@nudge/types';
import type { ApiServices } from '../services.ts';

export function listGateways(routes: Routes, { dispatcher }: ApiServices): BoundRoute {
  return bind('listGateways', routes.listGateways, async ({ query }, { identity }) => {
    const { network = DEFAULT_NETWORK } = query;
    return { status: 200, body: await dispatcher.gatewaysFor(identity.appId, identity.userId, network) };
  });
}
