import { defaultLimits, type LimitName, type Limits, limitVariable } from '@nudge/types';
import { type LogLevel, logLevels } from './log.ts';

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
  /** `REDIS_URL`. */
  readonly redisUrl: string | undefined;
  /** `ALLOWED_ORIGINS`, separated by commas, each `scheme://host[:port]`. */
  readonly allowedOrigins: readonly string[];
  /** `TRUST_PROXY`: how many proxies in front add to X-Forwarded-For. */
  readonly trustProxy: number;
  /** `LOG_LEVEL`. */
  readonly logLevel: LogLevel;
  /** `LOG_FORMAT`. */
  readonly logFormat: 'json' | 'pretty';
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

/** Reads and validates the environment; throws a {@link ConfigError} that names the variable at fault and what it takes. */
export function readConfig(env: Environment): Config {
  const databaseUrl = url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  const databaseReplicaUrls = list(env, 'DATABASE_REPLICA_URLS');
  for (const replica of databaseReplicaUrls) checkUrl(replica, 'DATABASE_REPLICA_URLS', ['postgres:', 'postgresql:']);
  if (databaseReplicaUrls.length > 0 && databaseUrl === undefined) {
    throw new ConfigError('DATABASE_URL', 'is required when DATABASE_REPLICA_URLS is set: the primary of those replicas');
  }
  return {
    port: integer(env, 'PORT', 8080, 0, 65_535),
    host: text(env, 'HOST') ?? '127.0.0.1',
    dataDir: text(env, 'DATA_DIR') ?? '.data',
    publicUrl: url(env, 'PUBLIC_URL', ['http:', 'https:'])?.replace(/\/+$/, ''),
    databaseUrl,
    databaseReplicaUrls,
    redisUrl: url(env, 'REDIS_URL', ['redis:', 'rediss:']),
    allowedOrigins: list(env, 'ALLOWED_ORIGINS').map((origin) => checkOrigin(origin)),
    trustProxy: integer(env, 'TRUST_PROXY', 0, 0, 10),
    logLevel: oneOf(env, 'LOG_LEVEL', logLevels, 'info'),
    logFormat: oneOf(env, 'LOG_FORMAT', ['json', 'pretty'], 'json'),
    limits: readLimits(env),
  };
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
