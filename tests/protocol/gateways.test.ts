import { describe, expect, it } from 'vitest';
import { useWorld } from './support/world.ts';

const world = useWorld();

describe('GET /v1/gateways', () => {
  it('says where to connect, where to pull and how the connection is probed', async () => {
    const [ann] = await world.people('ann');
    const answer = (await world.http.call('listGateways', { token: ann.token })).ok();
    expect(answer.gateways.length).toBeGreaterThan(0);
    for (const { url } of [...answer.gateways, { url: answer.sync }]) expect(URL.canParse(url)).toBe(true);
    expect(answer.heartbeat.profile).toBe('wifi');
    expect(answer.ttlSeconds).toBeGreaterThan(0);
  });

  it('probes a device on a battery less often', async () => {
    const [ann] = await world.people('ann');
    const heartbeat = async (network: string) =>
      (await world.http.call('listGateways', { token: ann.token, query: { network } })).ok().heartbeat;
    const wifi = await heartbeat('wifi');
    const mobile = await heartbeat('mobile');
    const background = await heartbeat('background');
    expect([wifi.profile, mobile.profile, background.profile]).toEqual(['wifi', 'mobile', 'background']);
    expect(mobile.intervalMs).toBeGreaterThanOrEqual(wifi.intervalMs);
    expect(background.intervalMs).toBeGreaterThanOrEqual(mobile.intervalMs);
    (await world.http.call('listGateways', { token: ann.token, query: { network: 'satellite' } })).refused('invalid_request');
  });

  it('is for users only', async () => {
    (await world.http.call('listGateways')).refused('token_missing');
    (await world.http.call('listGateways', { token: world.system.app.serverKey })).refused('token_invalid');
  });
});

describe('a gateway in standalone', () => {
  it('is this very server: what it names can be connected to and pulled from', async () => {
    const [ann] = await world.people('ann');
    const { gateways, sync } = (await world.http.call('listGateways', { token: ann.token })).ok();
    const port = String(world.system.port);
    expect([...gateways.map(({ url }) => new URL(url).port), new URL(sync).port]).toEqual([...gateways.map(() => port), port]);
  });
});
