import { defaultHeartbeats, defaultLimits } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

it('has defaults for everything', () => {
  expect(readConfig({})).toEqual({
    port: 8080,
    host: '127.0.0.1',
    dataDir: '.data',
    publicUrl: undefined,
    databaseUrl: undefined,
    databaseReplicaUrls: [],
    redisUrl: undefined,
    allowedOrigins: [],
    trustProxy: [],
    tls: undefined,
    ops: { port: 0, host: '127.0.0.1', token: undefined },
    tracing: undefined,
    logLevel: 'info',
    logFormat: 'json',
    heartbeats: defaultHeartbeats,
    limits: defaultLimits,
  });
});

it('reads every variable', () => {
  const config = readConfig({
    PORT: '0',
    HOST: '0.0.0.0',
    DATA_DIR: '/var/lib/nudge',
    PUBLIC_URL: 'https://chat.example/',
    DATABASE_URL: 'postgres://u:p@db/nudge',
    DATABASE_REPLICA_URLS: 'postgres://r1/nudge, postgresql://r2/nudge',
    REDIS_URL: 'redis://localhost',
    ALLOWED_ORIGINS: 'https://app.example,http://localhost:5173/',
    TRUST_PROXY: 'loopback, 10.0.0.0/8',
    TLS_CERT: '/tls/tls.crt',
    TLS_KEY: '/tls/tls.key',
    OPS_PORT: '9464',
    OPS_HOST: '0.0.0.0',
    OPS_TOKEN: 'sixteen-letters!',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'pretty',
    HEARTBEAT_MOBILE_MS: '180000',
    HEARTBEAT_TIMEOUT_MS: '9000',
    LIMIT_PAGE_ENTRIES: '50',
    LIMIT_WRITES_PER_10_SECONDS: '7',
    LIMIT_JSON_DEPTH: '',
  });
  expect(config).toMatchObject({
    port: 0,
    publicUrl: 'https://chat.example',
    databaseReplicaUrls: ['postgres://r1/nudge', 'postgresql://r2/nudge'],
    allowedOrigins: ['https://app.example', 'http://localhost:5173'],
    trustProxy: ['loopback', '10.0.0.0/8'],
    tls: { cert: '/tls/tls.crt', key: '/tls/tls.key' },
    ops: { port: 9464, host: '0.0.0.0', token: 'sixteen-letters!' },
    logLevel: 'debug',
    logFormat: 'pretty',
  });
  expect(config.heartbeats.mobile).toEqual({ profile: 'mobile', intervalMs: 180_000, timeoutMs: 9_000 });
  expect(config.heartbeats.wifi).toEqual({ ...defaultHeartbeats.wifi, timeoutMs: 9_000 });
  expect(config.limits).toEqual({ ...defaultLimits, pageEntries: 50, writesPer10Seconds: 7 });
});

describe('what cannot be used names the variable and what it takes', () => {
  it.each([
    [{ PORT: '80a' }, 'PORT', 'a whole number from 0 to 65535'],
    [{ PORT: '70000' }, 'PORT', 'a whole number from 0 to 65535'],
    [{ PORT: '-1' }, 'PORT', 'a whole number'],
    [{ PUBLIC_URL: 'chat.example' }, 'PUBLIC_URL', 'https://'],
    [{ DATABASE_URL: 'mysql://db' }, 'DATABASE_URL', 'postgres://'],
    [{ DATABASE_REPLICA_URLS: 'postgres://r1' }, 'DATABASE_URL', 'required when DATABASE_REPLICA_URLS'],
    [{ DATABASE_URL: 'postgres://db', DATABASE_REPLICA_URLS: 'postgres://r1,r2' }, 'DATABASE_REPLICA_URLS', 'postgres://'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL', 'redis://'],
    [{ ALLOWED_ORIGINS: 'app.example' }, 'ALLOWED_ORIGINS', 'scheme://host'],
    [{ ALLOWED_ORIGINS: 'https://app.example/path' }, 'ALLOWED_ORIGINS', 'without a path'],
    [{ ALLOWED_ORIGINS: '*' }, 'ALLOWED_ORIGINS', 'scheme://host'],
    [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY', 'addresses of proxies'],
    [{ TRUST_PROXY: '2' }, 'TRUST_PROXY', '10.0.0.0/8'],
    [{ TRUST_PROXY: '10.0.0.1,0.0.0.0/0' }, 'TRUST_PROXY', 'addresses of proxies'],
    [{ TLS_CERT: 'a.crt' }, 'TLS_KEY', 'required when TLS_CERT'],
    [{ TLS_KEY: 'a.key' }, 'TLS_CERT', 'required when TLS_KEY'],
    [{ TLS_CERT: 'a.crt', TLS_KEY: 'a.key', PUBLIC_URL: 'http://chat.example' }, 'PUBLIC_URL', 'https://'],
    [{ OPS_PORT: '-1' }, 'OPS_PORT', 'a whole number'],
    [{ OPS_HOST: '0.0.0.0' }, 'OPS_TOKEN', 'required when OPS_HOST'],
    [{ OPS_HOST: 'node-7.internal' }, 'OPS_TOKEN', 'required when OPS_HOST'],
    [{ OPS_TOKEN: 'short' }, 'OPS_TOKEN', '16 to 512'],
    [{ LOG_LEVEL: 'verbose' }, 'LOG_LEVEL', 'one of trace, debug, info'],
    [{ LOG_FORMAT: 'text' }, 'LOG_FORMAT', 'json, pretty'],
    [{ HEARTBEAT_WIFI_MS: '10' }, 'HEARTBEAT_WIFI_MS', 'a whole number from 1000'],
    [{ LIMIT_PAGE_ENTRYS: '5' }, 'LIMIT_PAGE_ENTRYS', 'did you mean LIMIT_PAGE_ENTRIES?'],
    [{ LIMIT_PAGE_ENTRIES: '1e9' }, 'LIMIT_PAGE_ENTRIES', 'a whole number from 1'],
    [{ LIMIT_PAGE_ENTRIES: '0' }, 'LIMIT_PAGE_ENTRIES', 'a whole number from 1'],
  ])('%o', (env, variable, takes) => {
    try {
      readConfig(env);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.variable).toBe(variable);
      expect(error.message).toContain(variable);
      expect(error.message).toContain(takes);
      return;
    }
    expect.unreachable();
  });

  it('shows no value: it may be a secret', () => {
    expect(() => readConfig({ DATABASE_URL: 'mysql://u:canary@db' })).toThrow(/^(?!.*canary)/s);
  });
});
