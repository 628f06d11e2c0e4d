import { defaultHeartbeats, defaultLimits, type Heartbeats, type LimitName, type Limits, limitVariable } from '@nudge/types';
import { parseProxy } from './http/client-address.ts';
import { type LogLevel, logLevels } from './log.ts';
import { isLoopback } from './ops/ops-access.ts';
import type { OpsAddress } from './ops/ops-server.ts';
import { parseRedisUrl, redisUrlForms } from './ports/redis/endpoint.ts';
import type { TlsFiles } from './tls/tls-pair.ts';
import { samplers, type TracingConfig } from './tracing/tracing-config.ts';

/** The environment as it is, e.g. `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What every process of the product is configured by. */
export interface Config {
  /** `PORT`, 0 = any free one. */
  readonly port: number;
  /** `HOST`: address to listen on. */
  readonly host: string;
  /** `DATA_DIR`: where the embedded database lives. */
  readonly dataDir: string;
  /** `PUBLIC_URL`: how clients reach this server, without a trailing slash. */
  readonly publicUrl: string | undefined;
  /** `DATABASE_URL`; absent in standalone, which brings its own. */
  readonly databaseUrl: string | undefined;
  /** `DATABASE_REPLICA_URLS`, separated by commas. */
  readonly databaseReplicaUrls: readonly string[];
  /** `REDIS_URL`: a server or a Cluster, see `parseRedisUrl`. Absent when all is one process. */
  readonly redisUrl: string | undefined;
  /** `ALLOWED_ORIGINS`, separated by commas, each `scheme://host[:port]`. */
  readonly allowedOrigins: readonly string[];
  /** `TRUST_PROXY`: addresses, ranges (CIDR) or `loopback`, separated by commas: the proxies whose X-Forwarded-For is believed. */
  readonly trustProxy: readonly string[];
  /** `TLS_CERT` and `TLS_KEY`: with them the public port speaks TLS only. */
  readonly tls: TlsFiles | undefined;
  /** `OPS_PORT` (0 = any free one), `OPS_HOST`, `OPS_TOKEN`: the operations port. */
  readonly ops: OpsAddress;
  /** `OTEL_*`; absent unless `OTEL_TRACES_EXPORTER` is `otlp` or an endpoint is set. */
  readonly tracing: TracingConfig | undefined;
  /** `LOG_LEVEL`. */
  readonly logLevel: LogLevel;
  /** `LOG_FORMAT`. */
  readonly logFormat: 'json' | 'pretty';
  /** `HEARTBEAT_<WIFI|MOBILE|BACKGROUND>_MS`, how often each is probed, and `HEARTBEAT_TIMEOUT_MS` of them all: what gateways do and the dispatcher says. */
  readonly heartbeats: Heartbeats;
  /** `LIMIT_<NAME>`. */
  readonly limits: Limits;
}

/** The configuration cannot be used. `variable` is the one at fault. The message shows no value: it may be a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly variable: string;

  constructor(variable: string, takes: string) {
    super(`${variable} ${takes}`);
    this.variable = variable;
  }
}

/** What `read` reads; where that throws a {@link ConfigError}, ends the process with its message alone: a trace says nothing about a variable. */
export function readOrExit<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`could not start: ${error.message}\n`);
    process.exit(1);
  }
}

/** Reads and validates the environment; throws a {@link ConfigError} that names the variable at fault and what it takes. */
export function readConfig(env: Environment): Config {
  const databaseUrl = url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  const databaseReplicaUrls = list(env, 'DATABASE_REPLICA_URLS');
  for (const replica of databaseReplicaUrls) checkUrl(replica, 'DATABASE_REPLICA_URLS', ['postgres:', 'postgresql:']);
  if (databaseReplicaUrls.length > 0 && databaseUrl === undefined) {
    throw new ConfigError('DATABASE_URL', 'is required when DATABASE_REPLICA_URLS is set: the primary of those replicas');
  }
  const tls = readTlsFiles(env);
  const publicUrl = url(env, 'PUBLIC_URL', ['http:', 'https:'])?.replace(/\/+$/, '');
  if (tls !== undefined && publicUrl?.startsWith('http:'))
    throw new ConfigError('PUBLIC_URL', 'takes an https:// URL when TLS_CERT is set');
  return {
    port: integer(env, 'PORT', 8080, 0, 65_535),
    host: text(env, 'HOST') ?? '127.0.0.1',
    dataDir: text(env, 'DATA_DIR') ?? '.data',
    publicUrl,
    databaseUrl,
    databaseReplicaUrls,
    redisUrl: redisUrl(env),
    allowedOrigins: list(env, 'ALLOWED_ORIGINS').map((origin) => checkOrigin(origin)),
    trustProxy: list(env, 'TRUST_PROXY').map((proxy) => checkProxy(proxy)),
    tls,
    ops: readOps(env),
    tracing: readTracing(env),
    logLevel: oneOf(env, 'LOG_LEVEL', logLevels, 'info'),
    logFormat: oneOf(env, 'LOG_FORMAT', ['json', 'pretty'], 'json'),
    heartbeats: readHeartbeats(env),
    limits: readLimits(env),
  };
}

function readTlsFiles(env: Environment): TlsFiles | undefined {
  const cert = text(env, 'TLS_CERT');
  const key = text(env, 'TLS_KEY');
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw new ConfigError('TLS_CERT', 'is required when TLS_KEY is set: the certificate chain in PEM');
  if (key === undefined) throw new ConfigError('TLS_KEY', 'is required when TLS_CERT is set: its private key in PEM');
  return { cert, key };
}

function readTracing(env: Environment): TracingConfig | undefined {
  const endpoint = text(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') ?? text(env, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  const exporter = oneOf(env, 'OTEL_TRACES_EXPORTER', ['otlp', 'none'], endpoint === undefined ? 'none' : 'otlp');
  if (exporter === 'none' || text(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  const ratio = Number(text(env, 'OTEL_TRACES_SAMPLER_ARG') ?? 1);
  if (!(ratio >= 0 && ratio <= 1)) throw new ConfigError('OTEL_TRACES_SAMPLER_ARG', 'takes a number from 0 to 1');
  return {
    sampler: oneOf(env, 'OTEL_TRACES_SAMPLER', samplers, 'parentbased_always_on'),
    ratio,
    exportDelayMs: integer(env, 'OTEL_BSP_SCHEDULE_DELAY', 5_000, 1, 600_000),
    exportTimeoutMs: integer(env, 'OTEL_EXPORTER_OTLP_TIMEOUT', 2_000, 1, 600_000),
  };
}

function readOps(env: Environment): OpsAddress {
  const host = text(env, 'OPS_HOST') ?? '127.0.0.1';
  const token = text(env, 'OPS_TOKEN');
  if (token !== undefined && !/^[\x21-\x7e]{16,512}$/.test(token))
    throw new ConfigError('OPS_TOKEN', 'takes 16 to 512 visible ASCII characters without spaces');
  if (token === undefined && !isLoopback(host)) throw new ConfigError('OPS_TOKEN', 'is required when OPS_HOST is not loopback');
  return { port: integer(env, 'OPS_PORT', 0, 0, 65_535), host, token };
}

/** The bounds in force: the defaults with what `LIMIT_<NAME>` overrides. A variable that names no bound is refused. */
export function readLimits(env: Environment): Limits {
  const names = new Map(Object.keys(defaultLimits).map((name) => [limitVariable(name as LimitName), name as LimitName]));
  const limits: Record<LimitName, number> = { ...defaultLimits };
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('LIMIT_') || text(env, variable) === undefined) continue;
    const name = names.get(variable);
    if (name === undefined) throw new ConfigError(variable, `names no limit; did you mean ${nearest(variable, [...names.keys()])}?`);
    limits[name] = integer(env, variable, defaultLimits[name], 1, Number.MAX_SAFE_INTEGER);
  }
  return limits;
}

function readHeartbeats(env: Environment): Heartbeats {
  const probe = <Name extends keyof Heartbeats>(profile: Name) => {
    const { intervalMs, timeoutMs } = defaultHeartbeats[profile];
    return {
      profile,
      intervalMs: integer(env, `HEARTBEAT_${profile.toUpperCase()}_MS`, intervalMs, 1_000, 3_600_000),
      timeoutMs: integer(env, 'HEARTBEAT_TIMEOUT_MS', timeoutMs, 1_000, 600_000),
    };
  };
  return { wifi: probe('wifi'), mobile: probe('mobile'), background: probe('background') };
}

/** An empty variable is an absent one. */
function text(env: Environment, variable: string): string | undefined {
  const value = env[variable]?.trim();
  return value === '' ? undefined : value;
}

function list(env: Environment, variable: string): string[] {
  return (text(env, variable) ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function integer(env: Environment, variable: string, fallback: number, min: number, max: number): number {
  const value = text(env, variable);
  if (value === undefined) return fallback;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max)) throw new ConfigError(variable, `takes a whole number from ${min} to ${max}`);
  return number;
}

function oneOf<const Value extends string>(env: Environment, variable: string, values: readonly Value[], fallback: Value): Value {
  const value = text(env, variable);
  if (value === undefined) return fallback;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw new ConfigError(variable, `takes one of ${values.join(', ')}`);
  return found;
}

function url(env: Environment, variable: string, protocols: readonly string[]): string | undefined {
  const value = text(env, variable);
  return value === undefined ? undefined : checkUrl(value, variable, protocols);
}

function redisUrl(env: Environment): string | undefined {
  const value = text(env, 'REDIS_URL');
  if (value !== undefined && parseRedisUrl(value) === undefined) throw new ConfigError('REDIS_URL', `takes ${redisUrlForms}`);
  return value;
}

function checkUrl(value: string, variable: string, protocols: readonly string[]): string {
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) {
    throw new ConfigError(variable, `takes a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
  }
  return value;
}

function checkOrigin(value: string): string {
  const origin = URL.canParse(value) ? new URL(value).origin : 'null';
  if (origin === 'null' || origin !== value.replace(/\/$/, '').toLowerCase()) {
    throw new ConfigError('ALLOWED_ORIGINS', 'takes origins separated by commas, each scheme://host[:port] without a path');
  }
  return origin;
}

function checkProxy(value: string): string {
  if (parseProxy(value) === undefined) {
    throw new ConfigError('TRUST_PROXY', 'takes addresses of proxies separated by commas: 10.0.0.7, 10.0.0.0/8, 2001:db8::/32 or loopback');
  }
  return value;
}

function nearest(word: string, candidates: readonly string[]): string {
  let best = '';
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
