import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway, type GatewayDeps } from '@nudge/gateway';
import { createLogger, createMetrics, createOriginPolicy, MemoryBus, MemorySessionRegistry } from '@nudge/server-kit';
import { defaultLimits } from '@nudge/types';

/** A gateway without a database, on a port of its own: a token is its user's name, every user is a member of every conversation. */
export interface BareGateway {
  readonly gateway: Gateway;
  readonly http: Server;
  readonly port: number;
}

export async function startBareGateway(deps: Partial<GatewayDeps> = {}): Promise<BareGateway> {
  const standing = { memberVersion: 1, head: 1, type: 'group', role: 'member', frozen: false, mutedUntil: 0 } as const;
  const gateway = createGateway({
    limits: { ...defaultLimits, eventLoopDelayMs: 60_000 },
    bus: new MemoryBus(),
    registry: new MemorySessionRegistry(),
    membership: {
      standings: async (pairs) => pairs.map(() => standing),
      versions: async (ids) => new Map(ids.map((id) => [id, 1])),
      relations: async (users) => users.map(() => ({ related: [], hidden: false })),
    },
    tokens: { verify: (userId) => ({ appId: 'one', userId, issuedAt: Date.now(), expiresAt: Date.now() + 3_600_000, kid: 'one.1' }) },
    directory: { epochOf: () => 1, isFresh: () => true, sessionPolicyOf: () => undefined },
    admit: () => undefined,
    origins: createOriginPolicy({ allowed: [], localhost: false }),
    metrics: createMetrics(),
    log: createLogger({ name: 'bare', level: 'silent' }),
    ...deps,
  });
  const http = createServer();
  gateway.attach(http);
  await gateway.start();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { gateway, http, port: (http.address() as AddressInfo).port };
}
