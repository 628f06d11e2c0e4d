import { z } from 'zod';

/** The network a device is on, which decides how often its connection is probed. */
export const networkSchema = z.enum(['wifi', 'mobile', 'background']).meta({ id: 'Network' });
export type Network = z.infer<typeof networkSchema>;

/** How a connection is probed: the server pings every `intervalMs` and gives up `timeoutMs` after a ping without answer. */
export const heartbeatSchema = z
  .strictObject({ profile: networkSchema, intervalMs: z.int(), timeoutMs: z.int() })
  .meta({ id: 'Heartbeat' });
export type Heartbeat = z.infer<typeof heartbeatSchema>;

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
