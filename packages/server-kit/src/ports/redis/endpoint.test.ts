import { expect, it } from 'vitest';
import { parseRedisUrl } from './endpoint.ts';

it('reads a server', () => {
  expect(parseRedisUrl('redis://cache')).toEqual({
    kind: 'standalone',
    nodes: [{ host: 'cache', port: 6379 }],
    tls: false,
    username: undefined,
    password: undefined,
    db: 0,
  });
  expect(parseRedisUrl('rediss://me:p%2Cw%40@cache:7000/3')).toMatchObject({ tls: true, username: 'me', password: 'p,w@', db: 3 });
  expect(parseRedisUrl('redis://[::1]:7000')?.nodes).toEqual([{ host: '::1', port: 7000 }]);
});

it('reads a Cluster, named as one or by a list', () => {
  const nodes = [
    { host: 'a', port: 7000 },
    { host: 'b', port: 6379 },
  ];
  expect(parseRedisUrl('redis+cluster://:secret@a:7000,b')).toMatchObject({ kind: 'cluster', nodes, password: 'secret' });
  expect(parseRedisUrl('redis://a:7000, redis://b')).toMatchObject({ kind: 'cluster', nodes, tls: false });
  expect(parseRedisUrl('rediss+cluster://a:7000')).toMatchObject({ kind: 'cluster', nodes: nodes.slice(0, 1), tls: true });
});

it.each([
  '',
  'localhost:6379',
  'http://a',
  'redis://',
  'redis://a:x',
  'redis://a/db',
  'redis://%zz@a',
  'redis+cluster://a,b/1',
  'redis://a,,b',
])('refuses %j', (url) => expect(parseRedisUrl(url)).toBeUndefined());
