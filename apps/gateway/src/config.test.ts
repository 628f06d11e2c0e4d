import { describe, expect, it } from 'vitest';
import { readGatewayConfig, readWorkersConfig } from './config.ts';

const base = { DATABASE_URL: 'postgres://u:p@db/nudge', PORT: '7000', OPS_PORT: '9000' };
const ports = (env: Readonly<Record<string, string>>) =>
  readWorkersConfig({ ...base, ...env })?.workers.map(({ env: { PORT, OPS_PORT, PUBLIC_URL } }) => [PORT, OPS_PORT, PUBLIC_URL]);

describe('workers of a gateway', () => {
  it('are none unless asked for, and a worker is none again', () => {
    expect(readWorkersConfig(base)).toBeUndefined();
    expect(readWorkersConfig({ ...base, GATEWAY_WORKERS: '1' })).toBeUndefined();
    expect(readWorkersConfig({ ...base, GATEWAY_WORKERS: '3', GATEWAY_WORKER: '2' })).toBeUndefined();
  });

  it('have ports and addresses of their own on a range', () => {
    expect(ports({ GATEWAY_WORKERS: '2', PUBLIC_URL: 'https://gw.example:8443' })).toEqual([
      ['7000', '9000', 'https://gw.example:8443'],
      ['7001', '9001', 'https://gw.example:8444'],
    ]);
    expect(ports({ GATEWAY_WORKERS: '2', PUBLIC_URL: 'https://gw-{worker}.example' })).toEqual([
      ['7000', '9000', 'https://gw-1.example'],
      ['7001', '9001', 'https://gw-2.example'],
    ]);
    expect(() => ports({ GATEWAY_WORKERS: '2', PUBLIC_URL: 'https://gw.example' })).toThrow(/^PUBLIC_URL needs \{worker\}/);
  });

  it('share a port and an address where that is wished and can be had', () => {
    const shared = process.platform === 'linux';
    expect(
      ports({ GATEWAY_WORKERS: '2', GATEWAY_WORKER_PORTS: 'shared', PUBLIC_URL: 'https://gw.example:443' })?.map(([port]) => port),
    ).toEqual(shared ? ['7000', '7000'] : ['7000', '7001']);
    const workers = readWorkersConfig({ ...base, GATEWAY_WORKERS: '2' })?.workers ?? [];
    const groups = workers.map(({ env }) => readGatewayConfig(env).group);
    expect([groups.length, new Set(groups).size, groups[0]]).toEqual([2, 1, expect.stringMatching(/./)]);
    expect(readGatewayConfig(base).group).toBeUndefined();
    const [worker] = readWorkersConfig({ ...base, GATEWAY_WORKERS: '2', GATEWAY_WORKER_PORTS: 'shared' })?.workers ?? [];
    expect(readGatewayConfig(worker?.env).sharedPort).toBe(shared);
    expect(readGatewayConfig({ ...base, GATEWAY_WORKER_PORTS: 'shared' }).sharedPort).toBe(false);
  });

  it('are refused where they cannot be told apart', () => {
    expect(() => ports({ GATEWAY_WORKERS: '0' })).toThrow(/^GATEWAY_WORKERS/);
    expect(() => ports({ GATEWAY_WORKERS: '65' })).toThrow(/^GATEWAY_WORKERS takes a whole number from 1 to 64/);
    expect(() => ports({ GATEWAY_WORKERS: 'x' })).toThrow(/^GATEWAY_WORKERS takes a whole number from 1 to 64/);
    for (const near of ['6999', '7000', '7001']) {
      expect(() => ports({ GATEWAY_WORKERS: '2', OPS_PORT: near })).toThrow(/^OPS_PORT is within 2 ports of PORT/);
    }
    expect(ports({ GATEWAY_WORKERS: '2', OPS_PORT: '7002' })).toHaveLength(2);
    expect(() => ports({ GATEWAY_WORKERS: '2', PUBLIC_URL: 'https://gw.example:65535' })).toThrow(/^PUBLIC_URL takes a port/);
    expect(() => ports({ GATEWAY_WORKERS: '2', GATEWAY_WORKER_PORTS: 'all' })).toThrow(/^GATEWAY_WORKER_PORTS/);
    expect(() => ports({ GATEWAY_WORKERS: '2', PORT: '0' })).toThrow(/^PORT/);
    expect(() => ports({ GATEWAY_WORKERS: '2', OPS_PORT: '0' })).toThrow(/^OPS_PORT/);
  });
});
