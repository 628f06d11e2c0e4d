import { hostname, platform } from 'node:os';
import { type Config, ConfigError, type Environment, readConfig } from '@nudge/server-kit';
import { defaultHeartbeats, type Heartbeats } from '@nudge/types';
import { defaultGap, type GapOptions } from './services/gap.ts';

/** What can be set of a gateway beyond the limits. Times in ms. */
export interface GatewayConfig {
  /** Name of this process among gateways; new with every start, so that a resume is never offered by the wrong one. */
  readonly gatewayId: string;
  /** How connections are probed, by the network they name. */
  readonly heartbeats: Heartbeats;
  /** How long a client may take to send its CONNECT after the upgrade. */
  readonly connectTimeoutMs: number;
  /** How long a session without a connection is kept. */
  readonly resumeMs: number;
  /** Sessions without a connection kept at most. */
  readonly resumableSessions: number;
  /** How long a user counts as present after a connection broke. */
  readonly presenceGraceMs: number;
  readonly tokenWarningMs: number;
  /** How often watched memberships and the blocks of their watchers are compared with the primary, and the age above which nothing is relayed. */
  readonly recheckMs: number;
  readonly staleMs: number;
  /** How often the primary is asked which sessions were ended from elsewhere. */
  readonly kickPollMs: number;
  /** How long a handshake waits at most for its user's blocks and privacy. */
  readonly relationsWaitMs: number;
  /** Over which time sessions are told to resync after the bus was interrupted. */
  readonly resyncSpreadMs: number;
  /** Lease of this gateway in the session registry. */
  readonly leaseMs: number;
  /** Sockets told to move per second when the gateway stops, over which time at most, and the longest delay they are given. */
  readonly drainPerSecond: number;
  readonly drainSpreadMs: number;
  readonly drainRetryMs: number;
  /** When those who were told to move and have not are disconnected. */
  readonly drainDeadlineMs: number;
  readonly gap: GapOptions;
}

/** Of this process, and no other one before or after it. */
const nameOfThisStart = (): string => `${hostname()}-${process.pid}-${Date.now().toString(36)}`;

/** The defaults, with a new id. */
export function gatewayConfig(overrides: Partial<GatewayConfig> = {}): GatewayConfig {
  return {
    gatewayId: nameOfThisStart(),
    heartbeats: defaultHeartbeats,
    connectTimeoutMs: 10_000,
    resumeMs: 120_000,
    resumableSessions: 20_000,
    presenceGraceMs: 15_000,
    tokenWarningMs: 60_000,
    recheckMs: 10_000,
    staleMs: 20_000,
    kickPollMs: 5_000,
    relationsWaitMs: 1_000,
    resyncSpreadMs: 2_000,
    leaseMs: 30_000,
    drainPerSecond: 1_000,
    drainSpreadMs: 3_000,
    drainRetryMs: 2_000,
    drainDeadlineMs: 8_000,
    gap: defaultGap,
    ...overrides,
  };
}

/** A gateway that runs as a process of its own. */
export interface GatewayProcessConfig {
  readonly process: Config;
  readonly databaseUrl: string;
  readonly gateway: Partial<GatewayConfig>;
  /** Where it stands, for the dispatcher. */
  readonly zone: string;
  /** Of the workers that stop together with it. */
  readonly group: string | undefined;
  /** The public port is shared with the other workers of this machine. */
  readonly sharedPort: boolean;
  /** How long the process may take to stop, ms. */
  readonly stopMs: number;
}

/** What ends after the drain has its time too. */
const afterDrainMs = 7_000;

/**
 * Reads the environment: the product's variables, and `GATEWAY_ZONE`, `DRAIN_PER_SECOND`, `DRAIN_SPREAD_MS` and `DRAIN_DEADLINE_MS`. Throws a `ConfigError`
 * that names the variable at fault.
 */
export function readGatewayConfig(env: Environment = process.env): GatewayProcessConfig {
  const config = readConfig(env);
  if (config.databaseUrl === undefined) throw new ConfigError('DATABASE_URL', 'is required: memberships are read from the primary');
  const { drainPerSecond, drainSpreadMs, drainDeadlineMs } = gatewayConfig();
  const drain = {
    drainPerSecond: positive(env, 'DRAIN_PER_SECOND', drainPerSecond),
    drainSpreadMs: positive(env, 'DRAIN_SPREAD_MS', drainSpreadMs),
    drainDeadlineMs: positive(env, 'DRAIN_DEADLINE_MS', drainDeadlineMs),
  };
  return {
    process: config,
    databaseUrl: config.databaseUrl,
    gateway: { heartbeats: config.heartbeats, ...drain },
    zone: env.GATEWAY_ZONE?.trim() || 'default',
    group: env.GATEWAY_WORKER === undefined ? undefined : env.GATEWAY_WORKER_GROUP,
    sharedPort: env.GATEWAY_WORKER_PORTS === 'shared' && env.GATEWAY_WORKER !== undefined,
    stopMs: Math.max(drain.drainSpreadMs, drain.drainDeadlineMs) + afterDrainMs,
  };
}

/** Gateways that one launcher runs as processes of their own. */
export interface WorkersConfig extends Pick<Config, 'logLevel' | 'logFormat'> {
  readonly workers: readonly { readonly number: number; readonly env: Environment }[];
  /** How long a worker may take to stop, ms. */
  readonly stopMs: number;
}

/**
 * Reads `GATEWAY_WORKERS`; undefined when this process is to be the gateway itself. `GATEWAY_WORKER_PORTS` says where workers listen: `range` (the
 * default) on `PORT` and those after it, so that each has an address that the dispatcher can name, or `shared`, all on `PORT`, where the
 * system spreads connections (Linux; elsewhere a range). Each has the operations port `OPS_PORT` and those after it. They know each other by a
 * group, since they stop together and none is to send its sockets to another.
 */
export function readWorkersConfig(env: Environment = process.env): WorkersConfig | undefined {
  const count = positive(env, 'GATEWAY_WORKERS', 1, 64);
  if (count === 1 || env.GATEWAY_WORKER !== undefined) return undefined;
  const { process: config, stopMs } = readGatewayConfig(env);
  const { port, publicUrl, ops, logLevel, logFormat } = config;
  const wanted = env.GATEWAY_WORKER_PORTS?.trim() || 'range';
  if (wanted !== 'range' && wanted !== 'shared') throw new ConfigError('GATEWAY_WORKER_PORTS', 'takes range or shared');
  const shared = wanted === 'shared' && platform() === 'linux';
  if (port === 0 || port + count > 65_536) throw new ConfigError('PORT', `takes a port that has ${count - 1} after it, for the workers`);
  if (ops.port === 0 || ops.port + count > 65_536) {
    throw new ConfigError('OPS_PORT', `is required with GATEWAY_WORKERS: a port that has ${count - 1} after it`);
  }
  const ports = shared ? 1 : count;
  if (ops.port < port + ports && port < ops.port + count) {
    throw new ConfigError(
      'OPS_PORT',
      `is within ${count} ports of PORT: the workers take OPS_PORT and those after it, PORT and those after it`,
    );
  }
  const group = nameOfThisStart();
  return {
    logLevel,
    logFormat,
    // A worker ends itself within its own time; this is for one that hangs.
    stopMs: stopMs + 1_000,
    workers: Array.from({ length: count }, (_, at) => ({
      number: at + 1,
      env: {
        ...env,
        GATEWAY_WORKER: String(at + 1),
        GATEWAY_WORKER_GROUP: group,
        GATEWAY_WORKER_PORTS: shared ? 'shared' : 'range',
        PORT: String(shared ? port : port + at),
        PUBLIC_URL: publicUrl === undefined || shared ? publicUrl : addressOf(publicUrl, at),
        OPS_PORT: String(ops.port + at),
      },
    })),
  };
}

/** `{worker}` in the address is the worker's number; else its port goes up with the workers. */
function addressOf(publicUrl: string, at: number): string {
  if (/%7Bworker%7D|\{worker\}/i.test(publicUrl)) return publicUrl.replaceAll(/%7Bworker%7D|\{worker\}/gi, String(at + 1));
  const url = new URL(publicUrl);
  if (url.port === '') {
    throw new ConfigError('PUBLIC_URL', 'needs {worker} in it or a port, when workers listen on a range: each has its own address');
  }
  const port = Number(url.port) + at;
  if (port > 65_535) throw new ConfigError('PUBLIC_URL', `takes a port that has ${at} after it, for the workers`);
  url.port = String(port);
  return url.href.replace(/\/+$/, '');
}

function positive(env: Environment, variable: string, fallback: number, most = 9_999_999): number {
  const value = env[variable]?.trim();
  if (!value) return fallback;
  if (!/^[1-9]\d{0,6}$/.test(value) || Number(value) > most) throw new ConfigError(variable, `takes a whole number from 1 to ${most}`);
  return Number(value);
}
