import { Cluster, Redis } from 'ioredis';
import type { Logger } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { RedisAway, withDeadline } from './deadline.ts';
import { parseRedisUrl, type RedisEndpoint, redisUrlForms } from './endpoint.ts';
import { slotCount, slotOf } from './slot.ts';
import { defaultRedisTimings, type RedisTimings, retryDelayMs } from './timings.ts';
import { RedisTooOld, requireVersion } from './version.ts';

export interface RedisConnectionOptions {
  /** See `parseRedisUrl`. */
  readonly url: string;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  readonly timings?: Partial<RedisTimings>;
  /** Addresses that a Cluster announces -> those that reach them from here. */
  readonly natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
}

/** What is sent by `commands` goes to the node that has the key. */
export type RedisCommands = Redis | Cluster;

/**
 * Connects to a server or Cluster of Redis 7 or later. A server that is older, or that refuses the password, is a rejection; one that does
 * not answer is not: the process then starts without Redis, and has it as soon as it is there.
 */
export async function connectRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const connection = new RedisConnection(options);
  try {
    await connection.start();
    return connection;
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** The connection for commands, the map of the nodes, and the way to open further connections to a node. Nothing here ends the process. */
export class RedisConnection implements AsyncDisposable {
  readonly timings: RedisTimings;
  readonly commands: RedisCommands;
  /**
   * Before every key and channel. It names the database where that is not the first: channels are heard over all databases of a server, and
   * whoever runs two installations on one has told them apart by that number.
   */
  readonly prefix: string;
  readonly #endpoint: RedisEndpoint;
  readonly #options: RedisConnectionOptions;
  readonly #listeners = new Set<() => void>();
  /** Slot -> master, of a Cluster. */
  #slots: readonly (string | undefined)[] = [];
  #nodes: readonly string[];
  #probe: NodeJS.Timeout | undefined;
  #probing: Promise<void> | undefined;
  #versionKnown = false;
  /** What the server said instead of letting us in. */
  #refusal: unknown;
  #up = false;
  #restUntil = 0;
  #closed = false;

  constructor(options: RedisConnectionOptions) {
    const endpoint = parseRedisUrl(options.url);
    if (endpoint === undefined) throw new Error(`A Redis URL is ${redisUrlForms}`);
    this.#endpoint = endpoint;
    this.prefix = endpoint.kind === 'standalone' && endpoint.db > 0 ? `nudge:${endpoint.db}:` : 'nudge:';
    this.#options = options;
    this.timings = { ...defaultRedisTimings, ...options.timings };
    this.commands = endpoint.kind === 'cluster' ? this.#openCluster() : this.#openStandalone();
    for (const event of ['error', 'node error']) {
      this.commands.on(event, (error: unknown) => {
        if (isReply(error)) this.#refusal = error;
        this.reported(error);
      });
    }
    this.#nodes = endpoint.kind === 'cluster' ? [] : endpoint.nodes.map(({ host, port }) => `${host}:${port}`);
    options.metrics?.gauge({
      name: 'nudge_redis_up',
      help: 'Whether every Redis master answered the last probe',
      collect: () => (this.#up ? 1 : 0),
    });
  }

  get kind(): RedisEndpoint['kind'] {
    return this.#endpoint.kind;
  }

  /** Whether every master answered lately. */
  get up(): boolean {
    return this.#up;
  }

  /** The masters, as host:port. Empty until a Cluster was reached. */
  get nodes(): readonly string[] {
    return this.#nodes;
  }

  /** The master that has the key or shard channel; undefined while that is not known. */
  nodeOfKey(key: string): string | undefined {
    return this.kind === 'standalone' ? this.#nodes[0] : this.#slots[slotOf(key)];
  }

  /** The first of the keys `name(0)`, `name(1)`, … that the master has: with a third of the slots, some third try. */
  keyOn(node: string, name: (at: number) => string): string | undefined {
    for (let at = 0; at < slotCount; at++) if (this.nodeOfKey(name(at)) === node) return name(at);
    return undefined;
  }

  /** Told when nodes came or went or slots moved. The result removes the listener. */
  onTopology(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Asks the Cluster where the slots are now. */
  refreshTopology(): void {
    if (this.commands instanceof Cluster && !this.#closed) this.commands.refreshSlotsCache();
  }

  /** A further client for one node, not connected yet; it never reconnects by itself. Whoever opens it listens to its errors and ends it. */
  openNode(node: string, name: string): Redis {
    const at = node.lastIndexOf(':');
    return new Redis({
      ...this.#common(),
      host: node.slice(0, at),
      port: Number(node.slice(at + 1)),
      connectionName: `nudge-${name}`,
      lazyConnect: true,
      retryStrategy: null,
      enableOfflineQueue: false,
    });
  }

  /**
   * Runs commands within a deadline. Rejects with {@link RedisAway} at once while Redis is known to be away: after a failure to answer, all
   * is refused for a moment, so that a server that hangs does not cost every request its deadline.
   */
  async run<Value>(work: (commands: RedisCommands) => Promise<Value>, ms = this.timings.commandMs): Promise<Value> {
    if (this.#closed) throw new RedisAway('The connection to Redis is closed');
    if (performance.now() < this.#restUntil) throw new RedisAway('Redis did not answer just now');
    try {
      return await withDeadline(work(this.commands), ms);
    } catch (error) {
      if (isReply(error)) throw error;
      this.#restUntil = performance.now() + this.timings.restMs;
      throw error instanceof RedisAway ? error : new RedisAway('There is no connection to Redis', { cause: error });
    }
  }

  /** Whether {@link run} would refuse at once. */
  get resting(): boolean {
    return this.#closed || performance.now() < this.#restUntil;
  }

  /** Lost connections are news for whoever debugs; that Redis is away is told once, by the probe. */
  reported(error: unknown): void {
    this.#options.log?.debug({ err: error }, 'a connection to Redis failed');
  }

  /** Resolves when Redis answered or the longest wait is over; rejects when it refuses us or is too old. */
  async start(): Promise<void> {
    this.commands.on('refresh', () => this.#rebuild());
    const first = this.commands.connect().catch((error: unknown) => this.reported(error));
    await withDeadline(first, this.timings.startMs).catch((error: unknown) => this.reported(error));
    if (this.#refusal !== undefined) {
      throw new Error('Redis refuses the connection: check user and password in REDIS_URL', { cause: this.#refusal });
    }
    this.#rebuild();
    await this.#probeOnce();
    if (!this.#up) this.#options.log?.error('Redis does not answer: started without it');
    this.#arm();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#probe);
    this.#listeners.clear();
    await this.#probing;
    this.commands.disconnect();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#probe = setTimeout(() => {
      this.#probing = this.#probeAndTell().then(() => this.#arm());
    }, this.timings.canaryEveryMs);
  }

  async #probeAndTell(): Promise<void> {
    const { log } = this.#options;
    const was = this.#up;
    try {
      await this.#probeOnce();
    } catch (error) {
      log?.error({ err: error }, 'this Redis cannot be used');
    }
    if (!this.#up) this.refreshTopology();
    if (was === this.#up || this.#closed) return;
    if (this.#up) log?.info('Redis answers');
    else log?.warn('Redis does not answer');
  }

  /** Rejects when the server is too old, not when it is away. */
  async #probeOnce(): Promise<void> {
    this.#up = await this.#answers();
    if (this.#up) this.#restUntil = 0;
  }

  async #answers(): Promise<boolean> {
    try {
      const info = await withDeadline(probeMasters(this.commands), this.timings.commandMs);
      if (!this.#versionKnown) requireVersion(info);
      this.#versionKnown = true;
      return true;
    } catch (error) {
      this.reported(error);
      this.#up = false;
      if (error instanceof RedisTooOld) throw error;
      return false;
    }
  }

  /** Copies the map of slots: the client changes its own in place while it follows redirections. */
  #rebuild(): void {
    if (!(this.commands instanceof Cluster)) return;
    const slots = this.commands.slots.map((keys) => keys[0]);
    if (slots.length === this.#slots.length && slots.every((node, slot) => node === this.#slots[slot])) return;
    this.#slots = slots;
    this.#nodes = [...new Set(slots)].filter((node) => node !== undefined).sort();
    for (const listener of this.#listeners) listener();
  }

  #openStandalone(): Redis {
    const [address] = this.#endpoint.nodes;
    return new Redis({
      ...this.#common(),
      ...address,
      db: this.#endpoint.db,
      connectionName: 'nudge-commands',
      lazyConnect: true,
      enableOfflineQueue: false,
      commandTimeout: this.timings.commandMs,
      socketTimeout: this.timings.canaryDeadlineMs,
      retryStrategy: (times) => retryDelayMs(times - 1, this.timings),
    });
  }

  #openCluster(): Cluster {
    const { timings } = this;
    return new Cluster([...this.#endpoint.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      shardedSubscribers: false,
      maxRedirections: 5,
      slotsRefreshTimeout: timings.connectMs,
      slotsRefreshInterval: 5 * timings.canaryEveryMs,
      clusterRetryStrategy: (times) => retryDelayMs(times - 1, timings),
      redisOptions: { ...this.#common(), commandTimeout: timings.commandMs, socketTimeout: timings.canaryDeadlineMs },
      ...(this.#options.natMap === undefined ? {} : { natMap: { ...this.#options.natMap } }),
    });
  }

  #common() {
    const { username, password, tls } = this.#endpoint;
    return {
      protocol: 2 as const,
      connectTimeout: this.timings.connectMs,
      disconnectTimeout: this.timings.commandMs,
      maxRetriesPerRequest: 0,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls ? { tls: {} } : {}),
    };
  }
}

/** Whether the server itself said no. A server that is loading or a Cluster that is down counts as away. */
function isReply(error: unknown): boolean {
  return (
    error instanceof Error &&
    error.name === 'ReplyError' &&
    !/^(LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|READONLY)\b/.test(error.message)
  );
}

/** Asks every master about itself; rejects when one does not answer. */
async function probeMasters(commands: RedisCommands): Promise<string> {
  const masters = commands instanceof Cluster ? commands.nodes('master') : [commands];
  if (masters.length === 0) throw new RedisAway('No node of the Cluster is known');
  const [info = ''] = await Promise.all(masters.map((node) => node.info('server')));
  return info;
}
