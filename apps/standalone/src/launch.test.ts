import { once } from 'node:events';
import { createServer } from 'node:net';
import { ConfigError } from '@nudge/server-kit';
import { expect, test } from 'vitest';
import { plainReason } from './launch.ts';
import { EmbeddedPostgresError } from './postgres/errors.ts';
import { RedisServerMissing } from './redis/redis-binary.ts';

test('what a person can put right is told in its own words, everything else keeps its trace', () => {
  expect(plainReason(new ConfigError('PORT', 'takes a number'))).toBe('PORT takes a number');
  expect(plainReason(new EmbeddedPostgresError('already_running', 'it runs already'))).toBe('it runs already');
  expect(plainReason(new RedisServerMissing('install it'))).toBe('install it');
  for (const other of [new Error('x'), new TypeError('y'), 'z', undefined]) expect(plainReason(other)).toBeUndefined();
});

test('a port that is taken is named with what to set', async () => {
  const listen = async (port: number) => {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const first = await listen(0);
  const { port } = first.address() as { port: number };
  try {
    const error = await listen(port).catch((reason: unknown) => reason);
    expect(plainReason(error)).toBe(`127.0.0.1:${port} is in use: stop what listens there, or set PORT to a free one`);
  } finally {
    first.close();
  }
});
