import { expect, it } from 'vitest';
import { ManualClock, sessionRegistryConformance } from '../../testing/index.ts';
import { MemorySessionRegistry } from './memory-session-registry.ts';

sessionRegistryConformance(() => {
  const clock = new ManualClock();
  return { registry: new MemorySessionRegistry({ clock }), advance: (ms) => clock.advance(ms) };
});

it('takes the end of a dead gateway as when its users were last seen', async () => {
  const clock = new ManualClock();
  await using registry = new MemorySessionRegistry({ clock });
  await registry.renewLease('g1', 1_000);
  const leaseEnd = clock.now() + 1_000;
  await registry.put({
    appId: 'app',
    userId: 'alice',
    deviceId: 'd',
    sessionId: 's',
    gatewayId: 'g1',
    status: 'online',
    connectedAt: clock.now(),
    hidden: false,
  });
  clock.advance(60_000);
  expect(await registry.presenceOf('app', ['alice'])).toEqual([
    { userId: 'alice', status: 'offline', lastSeenAt: new Date(leaseEnd).toISOString() },
  ]);
});
