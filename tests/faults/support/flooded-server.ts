/**
 * A whole server in a process of its own, on the database named by the first argument, that floods its users with keys when told to and
 * says what it costs.
 */
import { createLogger, readConfig, userTopic } from '@nudge/server-kit';
import { startServer } from '@nudge/standalone';
import { wideLimits } from '../../races/support/limits.ts';
import type { Answer, FloodRequest } from './flood.ts';

const connectionString = process.argv[2] ?? '';
const config = readConfig({
  ...wideLimits,
  PORT: '0',
  LIMIT_HANDSHAKES_PER_SECOND: '100000',
  LIMIT_HANDSHAKES_PER_ADDRESS_PER_10_SECONDS: '1000000',
  LIMIT_REQUESTS_IN_FLIGHT_PER_USER: '1000',
  LIMIT_EVENT_LOOP_DELAY_MS: '100000',
  LIMIT_SESSIONS_PER_USER: '100',
  LIMIT_ADMIN_PER_10_SECONDS: '100000',
});
/** Keys are hardly spaced out: the sooner the kernel's buffers are full, the sooner the gateway's own show. */
const gap = { maxMs: 1, low: 0.45, high: 0.95, fullDelayMs: 150, fullWaiting: 20_000 };
const log = createLogger({ name: 'flooded', level: 'silent' });
const server = await startServer({ config, connectionString, log, gateway: { gap } });
/** Makes frames long, so that few of them fill the kernel's buffers. */
const LOG_NAME_CHARACTERS = 1_000;

const say = (answer: Answer) => process.send?.(answer);

async function blocked(): Promise<number> {
  const text = await (await fetch(`${server.opsUrl}/metrics`)).text();
  return Number(/^nudge_gateway_blocked_total (\d+)/m.exec(text)?.[1] ?? 0);
}

/** What the process holds, garbage and the kernel's buffers not counted. */
function heldBytes(): number {
  for (let n = 0; n < 4; n += 1) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

process.on('message', (request: FloodRequest) => {
  void (async () => {
    const before = heldBytes();
    const logs = Array.from({ length: request.logs }, (_, n) => `c/${n}`.padEnd(LOG_NAME_CHARACTERS, 'x') as `c/${string}`);
    let rounds = 0;
    const publish = async () => {
      rounds += 1;
      const seq = rounds;
      const messages = request.users.flatMap((user) =>
        logs.map((log) => ({ topic: userTopic('one', user), message: { kind: 'key' as const, log, seq } })),
      );
      await server.bus.publish(messages);
      await turn();
      await turn();
    };
    const deadline = performance.now() + request.timeoutMs;
    while (performance.now() < deadline && (rounds % 20 !== 0 || (await blocked()) < request.sockets)) await publish();
    // And on, when nothing can leave any more.
    for (let n = 0; n < 50; n += 1) await publish();
    say({ kind: 'flooded', rounds, blocked: await blocked(), grownBytes: heldBytes() - before });
  })();
});
process.on('disconnect', () => process.exit());
say({ kind: 'ready', url: server.url });
