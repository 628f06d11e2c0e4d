import { connectRedis, RedisGatewayDirectory } from '@nudge/server-kit';
import { expect, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { freePorts } from '../support/free-ports.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFleet } from './support/fleet.ts';
import { startStack } from './support/stack.ts';

/** What the jitter after two refused connections comes to at most. */
const boundMs = 1_500;

test('a device that is sent to gateways that died goes on to the next of its list at once', async () => {
  await using stack = await startStack();
  await using fleet = await startFleet(stack, { groups: 1, usersPerGroup: 12, devicesPerUser: 0 });
  const users = fleet.groups[0]?.users ?? [];
  const http = httpClient(stack.url);
  const listOf = async (userId: string): Promise<readonly string[]> => {
    const { gateways } = (await http.call('listGateways', { token: stack.app.token(userId), query: { network: 'wifi' } })).ok(200);
    return gateways.map(({ url }) => url);
  };

  // What is left of gateways that were killed, until their time is over: nobody listens there.
  const port = await freePorts(2);
  const dead = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
  await using connection = await connectRedis({ url: stack.redis.url });
  await using directory = new RedisGatewayDirectory({ connection });
  for (const url of dead) await directory.put({ id: url, url, zone: 'default', load: 0, sockets: 0, draining: false }, 60_000);
  await waitFor('the dispatcher to name them', async () => {
    const lists = await Promise.all(users.map(listOf));
    return dead.every((url) => lists.every((list) => list.includes(url)));
  });

  const sent: string[] = [];
  for (const userId of users) if (dead.includes((await listOf(userId))[0] ?? '')) sent.push(userId);
  expect(sent.length, 'some are sent there first').toBeGreaterThan(0);
  const refused: string[] = [];
  const took = await Promise.all(
    sent.map(async (userId) => {
      const began = performance.now();
      const [device] = await fleet.add(userId, [`${userId}-phone`]);
      expect(stack.of('gateway').map(({ url }) => url)).toContain(device?.gatewayUrl);
      const losses = device?.losses ?? [];
      refused.push(...losses.map(({ code }) => code));
      expect(losses.length).toBeLessThanOrEqual(dead.length);
      expect(
        losses.reduce((sum, { retryInMs }) => sum + retryInMs, 0),
        'ms',
      ).toBeLessThanOrEqual(boundMs);
      return performance.now() - began;
    }),
  );
  expect(refused.length, 'some went there').toBeGreaterThan(0);
  expect(refused, 'nobody waited for an answer').not.toContain('timeout');
  console.log(`sent to dead gateways: ${sent.length} of ${users.length} users, in after ${Math.round(Math.max(...took))} ms at most`);
}, 120_000);
