import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createClientAddress, parseProxy } from './client-address.ts';

/** What is made of a request from 127.0.0.1 with this X-Forwarded-For. */
async function addressOf(proxies: readonly string[], forwarded: string | readonly string[] | undefined): Promise<string> {
  const clientAddress = createClientAddress(proxies);
  const server = createServer((req, res) => void res.end(clientAddress(req)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const headers = new Headers();
    for (const value of forwarded === undefined ? [] : [forwarded].flat()) headers.append('x-forwarded-for', value);
    return await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { headers })).text();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

it.each([
  ['no proxy is trusted: a forged header changes nothing', [], '203.0.113.9', '127.0.0.1'],
  ['another proxy is trusted than the one that came', ['10.0.0.0/8'], '203.0.113.9', '127.0.0.1'],
  ['a trusted proxy tells nothing', ['127.0.0.1'], undefined, '127.0.0.1'],
  ['one trusted proxy', ['127.0.0.1'], '203.0.113.9', '203.0.113.9'],
  ['forged entries stand on the left', ['127.0.0.1'], '198.51.100.1, 10.0.0.1, 203.0.113.9', '203.0.113.9'],
  ['a forged header in front of the proxy’s', ['loopback'], ['198.51.100.1', '203.0.113.9'], '203.0.113.9'],
  ['two trusted hops', ['loopback', '10.0.0.0/8'], '198.51.100.1, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
  ['a client that names a trusted hop as itself', ['loopback', '10.0.0.0/8'], '10.9.9.9, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
  ['only trusted hops: the outermost', ['loopback', '10.0.0.0/8'], '10.3.0.1, 10.1.2.3', '10.3.0.1'],
  ['what is no address', ['127.0.0.1'], 'unknown', '127.0.0.1'],
  ['what is no address behind a hop', ['loopback', '10.0.0.0/8'], '203.0.113.9, x, 10.1.2.3', '10.1.2.3'],
  ['an empty entry', ['127.0.0.1'], '203.0.113.9,', '127.0.0.1'],
  ['a port', ['127.0.0.1'], '203.0.113.9:4711', '203.0.113.9'],
  ['IPv6', ['127.0.0.1'], '2001:db8::7', '2001:db8::7'],
  ['IPv6 with a port', ['127.0.0.1'], '[2001:db8::7]:4711', '2001:db8::7'],
  ['IPv6 ranges', ['127.0.0.1', '2001:db8::/32'], '203.0.113.9, 2001:db8::7', '203.0.113.9'],
  ['a range of IPv4 in IPv6', ['127.0.0.1', '::ffff:10.0.0.0/104'], '203.0.113.9, 10.1.2.3', '203.0.113.9'],
  ['IPv4 in IPv6, in groups', ['127.0.0.1', '10.0.0.0/8'], '203.0.113.9, ::ffff:a01:203', '203.0.113.9'],
  ['IPv4 in IPv6, in groups and at length', ['127.0.0.1'], '0:0:0:0:0:FFFF:cb00:7109', '203.0.113.9'],
  ['IPv4 in IPv6', ['127.0.0.1', '10.0.0.0/8'], '203.0.113.9, ::ffff:10.1.2.3', '203.0.113.9'],
])('%s', async (_, proxies, forwarded, expected) => {
  expect(await addressOf(proxies, forwarded)).toBe(expected);
});

it.each([
  '1',
  'true',
  'proxy.example',
  '10.0.0.0/33',
  '10.0.0.0/0',
  '::/0',
  '::ffff:0:0/96',
  '::/80',
  '10.0.0.0/8/8',
  '10.0.0.0/',
  '10.0.0',
])('%s is no list', (text) => expect(parseProxy(text)).toBeUndefined());
