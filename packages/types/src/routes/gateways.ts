import { z } from 'zod';
import { gatewaysSchema, networkSchema } from '../gateways.ts';
import type { Route } from './route.ts';

/** The dispatcher (apps/api). */
export const gatewayRoutes = () =>
  ({
    listGateways: {
      method: 'GET',
      path: '/v1/gateways',
      summary: 'Where to connect, best first, and how often the connection is probed',
      tag: 'gateways',
      auth: 'user',
      rate: 'readsPer10Seconds',
      query: z.strictObject({ network: networkSchema.optional() }),
      answers: { 200: gatewaysSchema },
      errors: ['overloaded'],
    },
  }) as const satisfies Record<string, Route>;
