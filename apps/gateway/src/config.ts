import { hostname } from 'node:os';
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
  /** How long a handshake waits at most for its user's blocks and privacy. */
  readonly relationsWaitMs: number;
  /** Over which time sessions are told to resync after the bus was interrupted. */
  readonly resyncSpreadMs: number;
  /** Lease of this gateway in the session registry. */
  readonly leaseMs: number;
  /** Over which time sockets are told to move when the gateway stops, and the longest delay they are given. */
  readonly drainSpreadMs: number;
  readonly drainRetryMs: number;
  readonly gap: GapOptions;
}

/** The defaults, with a new id. */
export function gatewayConfig(overrides: Partial<GatewayConfig> = {}): GatewayConfig {
  return {
    gatewayId: `${hostname()}-${process.pid}-${Date.now().toString(36)}`,
    heartbeats: defaultHeartbeats,
    connectTimeoutMs: 10_000,
    resumeMs: 120_000,
    resumableSessions: 20_000,
    presenceGraceMs: 15_000,
    tokenWarningMs: 60_000,
    recheckMs: 10_000,
    staleMs: 20_000,
    relationsWaitMs: 1_000,
    resyncSpreadMs: 2_000,
    leaseMs: 30_000,
    drainSpreadMs: 3_000,
    drainRetryMs: 2_000,
    gap: defaultGap,
    ...overrides,
  };
}

/** A gateway that runs as a process of its own. */
export interface GatewayProcessConfig {
  readonly process: Config;
  readonly databaseUrl: string;
  readonly gateway: Partial<GatewayConfig>;
}

/** Reads the environment; throws a `ConfigError` that names the variable at fault. */
export function readGatewayConfig(env: Environment = process.env): GatewayProcessConfig {
  const config = readConfig(env);
  if (config.databaseUrl === undefined) throw new ConfigError('DATABASE_URL', 'is required: memberships are read from the primary');
  return { process: config, databaseUrl: config.databaseUrl, gateway: { heartbeats: config.heartbeats } };
}
