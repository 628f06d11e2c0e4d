import { type Config, ConfigError, type Environment, readConfig } from '@nudge/server-kit';
import { defaultHeartbeats, type Heartbeats } from '@nudge/types';
import { type FailpointName, failpointNames } from './services/failpoints.ts';
import { defaultJobs, type JobsConfig } from './services/jobs/jobs.ts';
import { defaultPace, type PaceOptions } from './services/publisher/pace.ts';

/** When the sweeper looks, and at what. Times in ms. */
export interface SweeperConfig {
  readonly intervalMs: number;
  /** Rows younger than this are still being worked on; longer than any paced fan-out takes. */
  readonly ageMs: number;
  readonly rowTimeoutMs: number;
}

/** What can be set of the API beyond the limits. */
export interface ApiConfig {
  /** Where gateways and the pull side can be reached. */
  readonly gatewayUrls: readonly string[];
  readonly syncUrl: string;
  readonly heartbeats: Heartbeats;
  /** How long a device may keep the answer of the dispatcher, seconds. */
  readonly gatewaysTtlSeconds: number;
  /** Inputs in one call of the append or the read function. */
  readonly maxBatch: number;
  /** Members held for fan-outs, over all conversations. */
  readonly cachedMembers: number;
  readonly pace: PaceOptions;
  /** How long a finished outbox row may wait to be deleted with others, ms. */
  readonly outboxDelayMs: number;
  readonly sweeper: SweeperConfig;
  readonly jobs: JobsConfig;
  /** Product version, for the OpenAPI document. */
  readonly version: string;
}

const defaultSweeper: SweeperConfig = { intervalMs: 1_000, ageMs: 5_000, rowTimeoutMs: 20_000 };

/** The defaults, all of one process at `publicUrl`. */
export function apiConfig(publicUrl: string, overrides: Partial<ApiConfig> = {}): ApiConfig {
  return {
    gatewayUrls: [publicUrl],
    syncUrl: publicUrl,
    heartbeats: defaultHeartbeats,
    gatewaysTtlSeconds: 300,
    maxBatch: 64,
    cachedMembers: 500_000,
    pace: defaultPace,
    outboxDelayMs: 100,
    sweeper: defaultSweeper,
    jobs: defaultJobs,
    version: '0.1.0',
    ...overrides,
  };
}

/** Configuration of an API that runs as a process of its own. */
export interface ApiProcessConfig {
  readonly process: Config & { readonly databaseUrl: string };
  readonly api: ApiConfig;
  readonly failpoint: FailpointName | undefined;
}

/**
 * Reads the environment: the product's variables, and `SWEEPER_INTERVAL_MS`, `SWEEPER_AGE_MS`, `GATEWAY_URLS` (separated by commas),
 * `SYNC_URL`. `FAILPOINT` names where the process kills itself; it is refused unless `NODE_ENV` is `test`.
 */
export function readApiConfig(env: Environment = process.env): ApiProcessConfig {
  const config = readConfig(env);
  const { databaseUrl } = config;
  if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL', 'is required: the primary database');
  const publicUrl = config.publicUrl ?? `${config.tls === undefined ? 'http' : 'https'}://${config.host}:${config.port}`;
  const gatewayUrls = (env.GATEWAY_URLS ?? '')
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  return {
    process: { ...config, databaseUrl },
    api: apiConfig(publicUrl, {
      ...(gatewayUrls.length === 0 ? {} : { gatewayUrls: gatewayUrls.map((url) => checkedUrl('GATEWAY_URLS', url)) }),
      ...(env.SYNC_URL ? { syncUrl: checkedUrl('SYNC_URL', env.SYNC_URL) } : {}),
      heartbeats: config.heartbeats,
      sweeper: readSweeperConfig(env),
    }),
    failpoint: readFailpoint(env),
  };
}

/** `SWEEPER_INTERVAL_MS` and `SWEEPER_AGE_MS`. */
export function readSweeperConfig(env: Environment): SweeperConfig {
  return {
    ...defaultSweeper,
    intervalMs: milliseconds(env, 'SWEEPER_INTERVAL_MS', defaultSweeper.intervalMs),
    ageMs: milliseconds(env, 'SWEEPER_AGE_MS', defaultSweeper.ageMs),
  };
}

/** `FAILPOINT`, for tests only. */
export function readFailpoint(env: Environment): FailpointName | undefined {
  if (!env.FAILPOINT) return undefined;
  if (env.NODE_ENV !== 'test') throw new ConfigError('FAILPOINT', 'takes effect only in tests (NODE_ENV=test)');
  const name = failpointNames.find((candidate) => candidate === env.FAILPOINT);
  if (name === undefined) throw new ConfigError('FAILPOINT', `takes one of ${failpointNames.join(', ')}`);
  return name;
}

function milliseconds(env: Environment, variable: string, fallback: number): number {
  const value = env[variable];
  if (!value) return fallback;
  if (!/^\d{1,7}$/.test(value) || Number(value) < 1) throw new ConfigError(variable, 'takes a whole number of milliseconds from 1');
  return Number(value);
}

function checkedUrl(variable: string, value: string): string {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) throw new ConfigError(variable, 'takes http:// or https:// URLs');
  return value.replace(/\/+$/, '');
}
