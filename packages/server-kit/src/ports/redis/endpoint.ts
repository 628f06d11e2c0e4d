/** Where Redis is. */
export interface RedisEndpoint {
  readonly kind: 'standalone' | 'cluster';
  /** One address, or those of a Cluster to begin with. */
  readonly nodes: readonly RedisAddress[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Database number; a Cluster has only 0. */
  readonly db: number;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** What {@link parseRedisUrl} takes, for people. */
export const redisUrlForms = 'redis://host:port[/db], redis+cluster://host:port,host:port or the same with rediss for TLS';

const schemes = /^(redis|rediss)(\+cluster)?:\/\//;

/**
 * Reads `redis[s]://[user:password@]host[:port][/db]`, or `redis[s]+cluster://…` and lists separated by commas, which name a Cluster. User
 * and password stand in the first address and are percent-encoded. Undefined when `text` is none of these.
 */
export function parseRedisUrl(text: string): RedisEndpoint | undefined {
  const scheme = schemes.exec(text);
  const parts = text.split(',').map((part) => part.trim());
  const first = parse(parts[0] ?? '');
  if (scheme === null || first === undefined) return undefined;
  const kind = scheme[2] !== undefined || parts.length > 1 ? 'cluster' : 'standalone';
  const nodes: RedisAddress[] = [];
  for (const part of parts) {
    const url = parse(schemes.test(part) ? part : `redis://${part}`);
    if (url === undefined || (kind === 'cluster' && !/^\/?$/.test(url.pathname))) return undefined;
    nodes.push({ host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 6379 : Number(url.port) });
  }
  const path = first.pathname.replace(/^\//, '');
  if (!/^\d{0,4}$/.test(path)) return undefined;
  return {
    kind,
    nodes,
    tls: scheme[1] === 'rediss',
    username: decoded(first.username),
    password: decoded(first.password),
    db: Number(path),
  };
}

function parse(text: string): URL | undefined {
  const plain = text.replace(/^(rediss?)\+cluster:/, '$1:');
  if (!URL.canParse(plain)) return undefined;
  const url = new URL(plain);
  const sound = url.hostname !== '' && url.search === '' && url.hash === '' && !/%(?![0-9a-f]{2})/i.test(url.username + url.password);
  return sound ? url : undefined;
}

function decoded(text: string): string | undefined {
  return text === '' ? undefined : decodeURIComponent(text);
}
