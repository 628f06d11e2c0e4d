import { describe, expect, it } from 'vitest';
import { type Candidate, orderGateways } from './order-gateways.ts';

const gateway = (n: number, over: Partial<Candidate> = {}): Candidate => ({
  url: `http://g${n}.example:8080`,
  load: 0.1,
  draining: false,
  ...over,
});
const fleet = (count: number) => Array.from({ length: count }, (_, n) => gateway(n));
const users = Array.from({ length: 4_000 }, (_, n) => ({ appId: 'app', userId: `user-${n}` }));
const ann = { appId: 'app', userId: 'ann' };
const firstOf = (user: (typeof users)[number], gateways: readonly Candidate[]) => orderGateways(user, gateways, 8)[0]?.url;

describe('orderGateways', () => {
  it('gives a user the same order however the gateways are listed, and whatever they do below a heavy load', () => {
    const gateways = fleet(6);
    for (const user of users.slice(0, 100)) {
      const order = orderGateways(user, gateways, 8).map(({ url }) => url);
      expect(orderGateways(user, gateways.toReversed(), 8).map(({ url }) => url)).toEqual(order);
      expect(
        firstOf(
          user,
          gateways.map((one, n) => ({ ...one, load: n / 10 })),
        ),
      ).toBe(order[0]);
    }
  });

  it('spreads users evenly, and moves only those of a gateway that is gone', () => {
    const gateways = fleet(5);
    const before = new Map(users.map((user) => [user, firstOf(user, gateways)]));
    for (const { url } of gateways) {
      const share = [...before.values()].filter((first) => first === url).length / users.length;
      expect(share).toBeGreaterThan(0.16);
      expect(share).toBeLessThan(0.24);
    }
    const [gone, ...rest] = gateways;
    for (const user of users) if (before.get(user) !== gone?.url) expect(firstOf(user, rest)).toBe(before.get(user));
  });

  it('sends fewer users to a gateway under load, hardly any to one at its end', () => {
    const share = (load: number) => {
      const gateways = [...fleet(3), gateway(9, { load })];
      return users.filter((user) => firstOf(user, gateways) === 'http://g9.example:8080').length / users.length;
    };
    expect(share(0.8)).toBeLessThan(0.18);
    expect(share(0.8)).toBeGreaterThan(0.1);
    expect(share(1)).toBeLessThan(0.02);
    expect(orderGateways(ann, [gateway(1, { load: 1 })], 8)).toHaveLength(1);
  });

  it('never names a draining gateway while another lives, and names it when none does', () => {
    const gateways = [gateway(1, { draining: true }), gateway(2)];
    for (const user of users.slice(0, 50))
      expect(orderGateways(user, gateways, 8).map(({ url }) => url)).toEqual(['http://g2.example:8080']);
    expect(orderGateways(ann, [gateway(1, { draining: true })], 8)).toHaveLength(1);
  });

  it('names an unready gateway only when all others drain', () => {
    const [unready, draining] = [gateway(1, { unready: true }), gateway(2, { draining: true })];
    const named = (...gateways: Candidate[]) => orderGateways(ann, gateways, 8).map(({ url }) => url);
    expect(named(unready, draining, gateway(3))).toEqual(['http://g3.example:8080']);
    expect(named(unready, draining)).toEqual([unready.url]);
  });

  it('goes to another port and another host after the first', () => {
    const urls = ['http://a:1', 'http://a:2', 'http://b:1', 'http://b:2', 'https://c', 'http://d'];
    const gateways = urls.map((url) => ({ url, load: 0, draining: false }));
    for (const user of users.slice(0, 200)) {
      const [first, second] = orderGateways(user, gateways, 8).map(({ url }) => new URL(url));
      expect(first?.hostname).not.toBe(second?.hostname);
      expect([first?.protocol, first?.port]).not.toEqual([second?.protocol, second?.port]);
    }
  });

  it('names at most so many', () => {
    expect(orderGateways(ann, fleet(300), 8)).toHaveLength(8);
    expect(orderGateways(ann, [], 8)).toEqual([]);
  });
});
