import { readFileSync } from 'node:fs';
import {
  type BusMessage,
  createMetrics,
  type Metrics,
  RedisBus,
  RedisConnection,
  type RedisConnectionOptions,
  RedisRateLimiter,
  RedisSessionRegistry,
  type RedisTimings,
} from '@nudge/server-kit';
import { onTestFinished } from 'vitest';
import { waitFor } from '../../../support/wait-for.ts';

/** A loaded machine that stands still is no Redis that hangs. */
export const patient: RedisTimings = {
  commandMs: 5_000,
  hotCommandMs: 5_000,
  connectMs: 8_000,
  retryMinMs: 20,
  retryMaxMs: 200,
  canaryEveryMs: 100,
  canaryDeadlineMs: 10_000,
  restMs: 200,
  startMs: 10_000,
};

/** Of those who are to find out that Redis hangs. They may find it out too soon. */
export const alert = { commandMs: 400, hotCommandMs: 300, connectMs: 800, canaryDeadlineMs: 2_000 } satisfies Partial<RedisTimings>;

/** What one process has of Redis, and what it heard. */
export interface RedisProcess {
  readonly connection: RedisConnection;
  readonly bus: RedisBus;
  readonly registry: RedisSessionRegistry;
  readonly limiter: RedisRateLimiter;
  readonly metrics: Metrics;
  /** Interruptions so far. */
  readonly interruptions: () => number;
  /** Gateways whose loss was told. */
  readonly lost: readonly string[];
  /** Value of a metric. */
  metric(name: string): Promise<number>;
}

interface ProcessOptions extends Omit<RedisConnectionOptions, 'metrics'> {
  /** Where connections of a kind (`publisher`, `subscriber`) go instead. */
  readonly via?: Readonly<Record<string, number>>;
}

/** A connection that takes another way for some of its kinds. */
class DivertedConnection extends RedisConnection {
  readonly #via: Readonly<Record<string, number>>;

  constructor(options: RedisConnectionOptions, via: Readonly<Record<string, number>>) {
    super(options);
    this.#via = via;
  }

  override openNode(node: string, name: string) {
    const port = this.#via[name];
    return super.openNode(port === undefined ? node : `127.0.0.1:${port}`, name);
  }
}

/** Opens what a process has of Redis; all is disposed of when the test ends, which fails when a rejection was left unhandled. */
export async function openProcess({ via = {}, ...options }: ProcessOptions): Promise<RedisProcess> {
  const stack = new AsyncDisposableStack();
  watchRejections();
  onTestFinished(() => stack.disposeAsync());
  const metrics = stack.use(createMetrics());
  const connection = stack.use(new DivertedConnection({ ...options, metrics, timings: { ...patient, ...options.timings } }, via));
  await connection.start();
  const bus = stack.use(await RedisBus.open({ connection, metrics }));
  const registry = stack.use(new RedisSessionRegistry({ connection }));
  const lost: string[] = [];
  registry.onLost((gatewayId) => lost.push(gatewayId));
  let interruptions = 0;
  bus.onInterruption(() => interruptions++);
  return {
    connection,
    bus,
    registry,
    limiter: new RedisRateLimiter({ connection }),
    metrics,
    interruptions: () => interruptions,
    lost,
    async metric(name) {
      const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${name} `));
      return Number(line?.split(' ')[1]);
    },
  };
}

function watchRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => {
    process.off('unhandledRejection', note);
    if (unhandled.length > 0) throw new AggregateError(unhandled, 'rejections were left unhandled');
  });
}

/** Seqs of the keys heard on a topic. */
export async function listen(bus: RedisBus, topic: string): Promise<number[]> {
  const seqs: number[] = [];
  const hear = (message: BusMessage) => void (message.kind === 'key' && seqs.push(message.seq));
  // Who is alert may have been refused.
  await waitFor('the subscription', () => bus.subscribe(topic, hear).then(() => true));
  return seqs;
}

export const key = (seq: number): BusMessage => ({ kind: 'key', log: 'c/1', seq });

/** The state letter of a process in Linux: T when it is stopped. */
export function stateOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '?';
}
