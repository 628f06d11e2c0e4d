import { type Config, ConfigError, type Environment, readConfig } from '@nudge/server-kit';

/** What can be set of the pull side beyond the limits. Times in ms. */
export interface SyncConfig {
  /** Bytes kept of all conversations together. */
  readonly cacheBytes: number;
  /** Entries and bytes kept of one conversation. */
  readonly tailEntries: number;
  readonly tailBytes: number;
  /** How long a membership is trusted after the primary last confirmed it. */
  readonly membershipTrustMs: number;
  /** How long a pull waits for a replica to reach its floor before it asks the primary. */
  readonly replicaPatienceMs: number;
  /** How long a replica that failed is left alone. */
  readonly replicaRestMs: number;
  /** `POST /v1/sync` requests worked on at the same time; the others wait their turn. */
  readonly bulkSyncs: number;
  /** Single pages that share one statement, and statements under way for them per database server. */
  readonly pagesPerStatement: number;
  readonly statementsInFlight: number;
}

/** The defaults. */
export function syncConfig(overrides: Partial<SyncConfig> = {}): SyncConfig {
  return {
    cacheBytes: 64 * 1024 * 1024,
    tailEntries: 200,
    tailBytes: 512 * 1024,
    membershipTrustMs: 5_000,
    replicaPatienceMs: 100,
    replicaRestMs: 5_000,
    bulkSyncs: 4,
    pagesPerStatement: 32,
    statementsInFlight: 2,
    ...overrides,
  };
}

/** Configuration of a pull side that runs as a process of its own. */
export interface SyncProcessConfig {
  readonly process: Config & { readonly databaseUrl: string };
  readonly sync: SyncConfig;
}

/**
 * Reads the environment: the product's variables, and `SYNC_CACHE_BYTES`, `SYNC_TAIL_ENTRIES`, `SYNC_TAIL_BYTES`, `SYNC_BULK`,
 * `SYNC_REPLICA_PATIENCE_MS`, `SYNC_REPLICA_REST_MS`.
 */
export function readSyncConfig(env: Environment = process.env): SyncProcessConfig {
  const config = readConfig(env);
  const { databaseUrl } = config;
  if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL', 'is required: the primary database');
  const base = syncConfig();
  return {
    process: { ...config, databaseUrl },
    sync: {
      ...base,
      cacheBytes: whole(env, 'SYNC_CACHE_BYTES', base.cacheBytes),
      tailEntries: whole(env, 'SYNC_TAIL_ENTRIES', base.tailEntries),
      tailBytes: whole(env, 'SYNC_TAIL_BYTES', base.tailBytes),
      bulkSyncs: whole(env, 'SYNC_BULK', base.bulkSyncs),
      replicaPatienceMs: whole(env, 'SYNC_REPLICA_PATIENCE_MS', base.replicaPatienceMs),
      replicaRestMs: whole(env, 'SYNC_REPLICA_REST_MS', base.replicaRestMs),
    },
  };
}

function whole(env: Environment, variable: string, fallback: number): number {
  const value = env[variable]?.trim();
  if (value === undefined || value === '') return fallback;
  if (!/^[1-9]\d{0,14}$/.test(value)) throw new ConfigError(variable, 'takes a whole number from 1');
  return Number(value);
}
