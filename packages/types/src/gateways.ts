import { z } from 'zod';

/** The network a device is on, which decides how often its connection is probed. */
export const networkSchema = z.enum(['wifi', 'mobile', 'background']).meta({ id: 'Network' });
export type Network = z.infer<typeof networkSchema>;

/** How a connection is probed: the server pings every `intervalMs` and gives up `timeoutMs` after a ping without answer. */
export const heartbeatSchema = z
  .strictObject({ profile: networkSchema, intervalMs: z.int(), timeoutMs: z.int() })
  .meta({ id: 'Heartbeat' });
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** How connections are probed, by the network they named. */
export type Heartbeats = { readonly [Name in Network]: Heartbeat };

/** The profile of a connection that names none. */
export const DEFAULT_NETWORK: Network = 'wifi';

/**
 * The profiles unless configured otherwise. A mobile network drops a silent mapping after some minutes, and each ping wakes its radio; in the
 * background the system's own push channel is what wakes the device, so only the session is to be kept.
 */
export const defaultHeartbeats: Heartbeats = {
  wifi: { profile: 'wifi', intervalMs: 75_000, timeoutMs: 20_000 },
  mobile: { profile: 'mobile', intervalMs: 240_000, timeoutMs: 20_000 },
  background: { profile: 'background', intervalMs: 420_000, timeoutMs: 20_000 },
};

/** Where to connect and where to pull, best first; valid for `ttlSeconds`. */
export const gatewaysSchema = z
  .strictObject({
    gateways: z.array(z.strictObject({ url: z.string(), zone: z.string() })),
    sync: z.string(),
    heartbeat: heartbeatSchema,
    ttlSeconds: z.int(),
  })
  .meta({ id: 'Gateways' });
export type Gateways = z.infer<typeof gatewaysSchema>;
