import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './generated/client.ts';
import type { Pool } from './pool.ts';

const clients = new WeakMap<Pool, PrismaClient>();

/**
 * Prisma over an existing pool, for what is neither hot nor concurrent. One client per pool; it lives as long as the pool, whose
 * owner ends it.
 */
export function prismaOf(pool: Pool): PrismaClient {
  const known = clients.get(pool);
  if (known !== undefined) return known;
  const client = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false }) });
  clients.set(pool, client);
  return client;
}
