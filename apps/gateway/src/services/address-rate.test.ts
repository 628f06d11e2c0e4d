import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { AddressRate, networkOf } from './address-rate.ts';

describe('handshakes of one address', () => {
  it('are counted apart from those of another, and may go on after a while', () => {
    const clock = new ManualClock();
    const rate = new AddressRate(clock, 2);
    expect([rate.count('192.0.2.1'), rate.count('192.0.2.1')]).toEqual([undefined, undefined]);
    expect(rate.count('192.0.2.1')).toBe(5_000);
    expect(rate.count('192.0.2.2')).toBeUndefined();
    clock.advance(5_000);
    expect(rate.count('192.0.2.1')).toBeUndefined();
  });

  it('count ten times with a token that is none', () => {
    const rate = new AddressRate(new ManualClock(), 12);
    expect(rate.count('192.0.2.1')).toBeUndefined();
    rate.countForged('192.0.2.1');
    expect([rate.count('192.0.2.1'), rate.count('192.0.2.1')]).toEqual([undefined, undefined]);
    expect(rate.count('192.0.2.1')).toBeGreaterThan(0);
  });

  it('are those of its network where it is one of the many that a host has', () => {
    const rate = new AddressRate(new ManualClock(), 1);
    expect(rate.count('2001:db8:1:2::1')).toBeUndefined();
    expect(rate.count('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(10_000);
    expect(rate.count('2001:db8:1:3::1')).toBeUndefined();
  });
});

describe('the network of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['unknown', 'unknown'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0:0::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0:0:0:c000:201'],
    ['64:ff9b::c000:201', '64:ff9b:0:0:0:0:c000:201'],
    ['64:ff9b::1:c000:201', '64:ff9b:0:0::/64'],
  ])('%s is in %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
