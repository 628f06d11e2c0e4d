import { httpClient } from '../../protocol/support/http.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Fleet } from './fleet.ts';
import type { Stack } from './stack.ts';

type Online = Pick<Stack, 'url' | 'app' | 'of'>;

/** Waits until the dispatcher names every gateway again, past the list that is configured: those that live, by the directory. */
export async function directoryIsWhole(stack: Online): Promise<void> {
  const http = httpClient(stack.url);
  const token = stack.app.token('g0u0');
  const wanted = stack.of('gateway').map(({ url }) => url);
  await waitFor(
    'the dispatcher to name every gateway',
    async () => {
      const { gateways } = (await http.call('listGateways', { token, query: { network: 'wifi' } })).ok(200);
      const named = new Set(gateways.map(({ url }) => url));
      return wanted.every((url) => named.has(url));
    },
    { timeoutMs: 30_000, intervalMs: 200 },
  );
}

/** Waits until the registry has every device of the fleet, on the gateway that it is on. */
export async function registryIsWhole(stack: Online, fleet: Fleet): Promise<void> {
  const http = httpClient(stack.url);
  for (const userId of new Set(fleet.devices.map((device) => device.userId))) {
    const own = fleet.devices.filter((device) => device.userId === userId);
    await waitFor(
      `the registry to know the devices of ${userId}`,
      async () => {
        const { sessions } = (await http.call('adminListSessions', { token: stack.app.serverKey, params: { userId } })).ok(200);
        const known = new Map(sessions.map(({ deviceId, gatewayId }) => [deviceId, gatewayId]));
        return own.every(({ name, connections }) => known.get(name) === connections.at(-1)?.gatewayId);
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
  }
}

/** Waits until every device has heard a key later than now; something must be sent meanwhile. */
export async function keysFlow(fleet: Fleet): Promise<void> {
  const since = performance.now();
  await waitFor('a key at every device', () => fleet.devices.every(({ lastKeyAt }) => lastKeyAt > since), { timeoutMs: 60_000 });
}
