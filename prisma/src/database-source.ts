import { type AppKeyRow, type AppRow, loadDirectory } from './apps.ts';
import type { Pool } from './pool.ts';
import { type IdentityReading, readIdentity } from './sql/epoch.ts';
import { type RestrictionRow, restrictions } from './sql/revocation.ts';
import { ensureUser } from './sql/users.ts';

/** What every process asks the primary, whatever it serves. */
export interface DatabaseSource {
  load(): Promise<{ readonly apps: readonly AppRow[]; readonly keys: readonly AppKeyRow[] }>;
  ensure(appId: string, userId: string): Promise<boolean>;
  restrictions(since: number | null): Promise<{ readonly rows: readonly RestrictionRow[]; readonly readAt: number }>;
  identity(): Promise<IdentityReading>;
  /** Calls `listener` whenever a connection to the primary has been made. */
  onConnect(listener: () => void): void;
}

/** The primary behind a pool as the platform of an app takes it. */
export function databaseSource(pool: Pool, limits: { readonly tokenLifetimeSeconds: number }): DatabaseSource {
  return {
    load: () => loadDirectory(pool),
    ensure: (appId, userId) => ensureUser(pool, appId, userId),
    restrictions: (since) => restrictions(pool, since, limits.tokenLifetimeSeconds),
    identity: () => readIdentity(pool),
    onConnect: (listener) => void pool.on('connect', () => listener()),
  };
}
