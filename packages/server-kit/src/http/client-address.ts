import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Addresses of one or many proxies. */
export interface ProxyRange {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * Reads an address, a range in CIDR notation, or `loopback`; `undefined` for anything else, a number of hops and a range of all addresses
 * included: under those whoever reaches this port directly could name any address as its own.
 */
export function parseProxy(text: string): readonly ProxyRange[] | undefined {
  if (text === 'loopback') {
    return [
      { address: '127.0.0.0', prefix: 8, family: 'ipv4' },
      { address: '::1', prefix: 128, family: 'ipv6' },
    ];
  }
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (version === 0 || rest.length > 0 || !(prefix >= 1 && prefix <= bits)) return undefined;
  const range: ProxyRange = { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
  return isAllOfIpv4(range) ? undefined : [range];
}

/** Written as IPv6: `::ffff:0:0/96` and whatever holds it. */
function isAllOfIpv4({ address, prefix, family }: ProxyRange): boolean {
  const range = new BlockList();
  range.addSubnet(address, prefix, family);
  return range.check('1.1.1.1') && range.check('223.1.1.1');
}

/**
 * The address that a request came from. Without proxies that is its connection's other end, whatever a header says. Each trusted proxy has
 * appended to X-Forwarded-For the address that it saw: read from the right, the first one that is not itself trusted is the client, and what
 * stands before it was written by the client.
 * @param proxies as {@link parseProxy} reads them
 */
export function createClientAddress(proxies: readonly string[]): (req: IncomingMessage) => string {
  const trusted = new BlockList();
  for (const { address, prefix, family } of proxies.flatMap((text) => parseProxy(text) ?? [])) trusted.addSubnet(address, prefix, family);
  const isTrusted = (address: string) => {
    const version = isIP(address);
    return version !== 0 && trusted.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
  return (req) => {
    let client = canonical(req.socket.remoteAddress ?? 'unknown');
    const forwarded = req.headers['x-forwarded-for'];
    if (proxies.length === 0 || typeof forwarded !== 'string') return client;
    const hops = forwarded.split(',');
    while (hops.length > 0 && isTrusted(client)) {
      const seen = canonical(hops.pop()?.trim() ?? '');
      // What is no address was not written by a proxy that can be relied on.
      if (isIP(seen) === 0) break;
      client = seen;
    }
    return client;
  };
}

const mapped = new BlockList();
mapped.addSubnet('::ffff:0:0', 96, 'ipv6');

/** One spelling for each client: without a port, and IPv4 as such when it came over IPv6, in whatever spelling (RFC 4291 section 2.5.5.2). */
function canonical(text: string): string {
  const address = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined || !address.includes(':') || !mapped.check(address, 'ipv6')) return dotted ?? address;
  const [high = 0, low = 0] = address
    .split(':')
    .slice(-2)
    .map((group) => Number.parseInt(group, 16) || 0);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
