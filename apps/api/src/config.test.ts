import { ConfigError } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { readApiConfig } from './config.ts';

const env = { DATABASE_URL: 'postgres://nudge@127.0.0.1/nudge' };

describe('the configuration of the API', () => {
  it('has defaults for all but the database', () => {
    const { api, failpoint } = readApiConfig({ ...env, PORT: '9000' });
    expect(api.gatewayUrls).toEqual(['http://127.0.0.1:9000']);
    expect(api.sweeper.ageMs).toBeGreaterThan(api.pace.maxMs);
    expect(failpoint).toBeUndefined();
    expect(() => readApiConfig({})).toThrow(/DATABASE_URL/);
  });

  it('takes addresses and times, and names the variable at fault', () => {
    const { api } = readApiConfig({
      ...env,
      GATEWAY_URLS: 'https://a.example/, https://b.example',
      SYNC_URL: 'https://s.example',
      SWEEPER_AGE_MS: '50',
    });
    expect(api.gatewayUrls).toEqual(['https://a.example', 'https://b.example']);
    expect(api.syncUrl).toBe('https://s.example');
    expect(api.sweeper.ageMs).toBe(50);
    expect(() => readApiConfig({ ...env, SWEEPER_AGE_MS: '5 s' })).toThrow(/^SWEEPER_AGE_MS/);
    expect(() => readApiConfig({ ...env, SYNC_URL: 'ftp://x' })).toThrow(/^SYNC_URL/);
  });

  it('refuses a failpoint outside of tests, and one that does not exist', () => {
    expect(() => readApiConfig({ ...env, FAILPOINT: 'after-commit' })).toThrow(ConfigError);
    expect(() => readApiConfig({ ...env, FAILPOINT: 'after-commit', NODE_ENV: 'production' })).toThrow(ConfigError);
    expect(() => readApiConfig({ ...env, FAILPOINT: 'somewhere', NODE_ENV: 'test' })).toThrow(/after-commit/);
    expect(readApiConfig({ ...env, FAILPOINT: 'after-commit', NODE_ENV: 'test' }).failpoint).toBe('after-commit');
  });
});
