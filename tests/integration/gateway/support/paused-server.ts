/**
 * A process that holds a gateway, publishes without end to clients of the test's process that do not read, and reports what each costs. Keys
 * of more logs than a session may have pending are published, in so many rounds that the kernel's buffers fill.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway, gatewayConfig } from '@nudge/gateway';
import { createLogger, createMetrics, createOriginPolicy, MemoryBus, MemorySessionRegistry, userTopic } from '@nudge/server-kit';
import { defaultLimits } from '@nudge/types';

const sockets = Number(process.argv[2]);
const limits = { ...defaultLimits, handshakesPerSecond: 100_000, handshakesPerAddressPer10Seconds: 100_000, eventLoopDelayMs: 100_000 };
const log = createLogger({ name: 'paused', level: 'silent' });
const bus = new MemoryBus();
const metrics = createMetrics();
const identity = (userId: string) => ({ appId: 'one', userId, issuedAt: 0, expiresAt: Date.now() + 3_600_000, kid: 'one.1' });
const gateway = createGateway({
  // Without a gap every round is pushed, and the kernel's buffers fill in seconds.
  config: { gap: { ...gatewayConfig().gap, maxMs: 0 } },
  limits,
  bus,
  registry: new MemorySessionRegistry(),
  membership: {
    standings: async (pairs) => pairs.map(() => undefined),
    versions: async () => new Map(),
    relations: async (users) => users.map(() => ({ related: [], hidden: false })),
  },
  tokens: { verify: identity },
  directory: { epochOf: () => 1, isFresh: () => true, sessionPolicyOf: () => undefined },
  admit: () => undefined,
  origins: createOriginPolicy({ allowed: [], localhost: false }),
  metrics,
  log,
});
const http = createServer();
gateway.attach(http);
await gateway.start();
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
const { port } = http.address() as AddressInfo;

const metric = async (name: string) =>
  Number(
    (await metrics.text())
      .split('\n')
      .find((line) => line.startsWith(`nudge_gateway_${name} `))
      ?.split(' ')[1] ?? 0,
  );
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** What is alive in this process, buffers included; the kernel's are not. */
const bytes = () => {
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const logs = Array.from({ length: 250 }, (_, i) => `c/${String(i).padStart(36, '0')}` as const);
async function publish(round: number, to: readonly string[]): Promise<void> {
  const messages = logs.map((log) => ({ kind: 'key' as const, log, seq: round }));
  for (const user of to) {
    const topic = userTopic('one', user);
    await bus.publish(messages.map((message) => ({ topic, message })));
  }
  await turn();
  await turn();
}

const told = (word: string) =>
  once(process, 'message').then(([message]) => (message === word ? undefined : Promise.reject(new Error(`not ${word}`))));

// Code that is compiled and tables that grow while one client is served are no client's cost: the first one reads.
process.send?.(port);
await told('first');
for (let round = 1; round < 500; round++) await publish(round, ['first']);
const before = bytes();
process.send?.('served');

await told('paused');
const users = Array.from({ length: sockets }, (_, i) => `user${i}`);
for (let round = 1; round % 20 !== 0 || (await metric('blocked_total')) < sockets; round++) await publish(round, users);
// And once more what cannot leave: other logs than those that wait, each name a string of its own.
for (let round = 0; round < 20; round++) {
  for (const user of users) {
    for (let i = 0; i < 50; i++) {
      await bus.publish([
        { topic: userTopic('one', user), message: { kind: 'key', log: `c/${round}-${i}-${user}`.padEnd(38, 'x') as 'c/x', seq: 1 } },
      ]);
    }
  }
}
await turn();
process.send?.({ bytesPerSocket: Math.round((bytes() - before) / sockets), blocked: await metric('blocked_total') });

await told('resumed');
while ((await metric('resyncs_total')) < sockets) await turn();
process.send?.(await metric('resyncs_total'));
