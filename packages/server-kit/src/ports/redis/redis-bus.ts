import { randomUUID } from 'node:crypto';
import type { Counter } from '@prometheus-io/client';
import { NudgeError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { Bus, BusMessage, Publication } from '../bus.ts';
import { decodeMessages, encodeMessage } from './bus-encoding.ts';
import type { RedisConnection } from './connection.ts';
import { withDeadline } from './deadline.ts';
import { PublisherLink } from './publisher-link.ts';
import { SubscriberLink } from './subscriber-link.ts';
import { Topic } from './topic.ts';
import { Unsent } from './unsent.ts';

export interface RedisBusOptions {
  readonly connection: RedisConnection;
  readonly log?: Logger;
  readonly metrics?: Metrics;
  /** Before every channel; the connection's own by default. */
  readonly prefix?: string;
  /** Most messages waiting for one node while it answers. */
  readonly maxWaiting?: number;
  /** Most messages kept while it does not. */
  readonly maxUnsent?: number;
}

interface Node {
  readonly publisher: PublisherLink;
  readonly subscriber: SubscriberLink;
}

/**
 * The bus over sharded publish and subscribe: one channel per topic, so on a Cluster nothing spans slots. Each master has two connections of
 * its own here, one that publishes and one that subscribes.
 *
 * While Redis is away `publish` rejects at once with `overloaded`, so that an outbox row stays for the sweeper, and `subscribe` rejects too.
 * What was refused is kept, the newest of each kind, and sent when the node is back: sooner than the sweeper would, and instead of it for
 * messages that have no outbox row. After a loss the order holds again from the recovery on; a repeated older key is superseded by the newer.
 */
export class RedisBus implements Bus {
  readonly #connection: RedisConnection;
  readonly #log: Logger | undefined;
  readonly #prefix: string;
  readonly #canaryId = randomUUID();
  readonly #maxWaiting: number;
  readonly #nodes = new Map<string, Node>();
  readonly #topics = new Map<string, Topic>();
  readonly #interruptions = new Set<() => void>();
  readonly #unsent: Unsent;
  readonly #stopListening: () => void;
  readonly #counts: { readonly interruptions: Counter; readonly refused: Counter; readonly deaf: Counter } | undefined;
  #announcing = false;
  #closed = false;

  /** Opens the links; waits until they are there, at most as long as a process waits for Redis when it starts. */
  static async open(options: RedisBusOptions): Promise<RedisBus> {
    const bus = new RedisBus(options);
    const deadline = performance.now() + options.connection.timings.startMs;
    while (options.connection.up && !bus.healthy && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
    return bus;
  }

  constructor(options: RedisBusOptions) {
    const { connection, log, metrics, prefix = options.connection.prefix, maxWaiting = 50_000, maxUnsent = 10_000 } = options;
    this.#connection = connection;
    this.#log = log;
    this.#prefix = prefix;
    this.#maxWaiting = maxWaiting;
    this.#unsent = new Unsent(maxUnsent);
    this.#counts = metrics && {
      interruptions: metrics.counter({ name: 'nudge_bus_interruptions_total', help: 'Times that keys may have been lost' }),
      refused: metrics.counter({ name: 'nudge_bus_refused_total', help: 'Messages that the bus did not take' }),
      deaf: metrics.counter({ name: 'nudge_bus_deaf_total', help: 'Subscribers that did not hear their canary' }),
    };
    this.#stopListening = connection.onTopology(() => this.#followTopology());
    this.#followTopology();
  }

  /** Every node is connected and everything subscribed is in force. While it is not, a copy kept valid by the bus cannot be trusted. */
  get healthy(): boolean {
    if (this.#closed || this.#nodes.size === 0) return false;
    for (const { publisher, subscriber } of this.#nodes.values()) if (!publisher.ready || !subscriber.inForce) return false;
    return true;
  }

  /** Topics with a subscriber. */
  get topicCount(): number {
    return this.#topics.size;
  }

  /** Messages kept for when Redis is back. */
  get unsentCount(): number {
    return this.#unsent.size;
  }

  async publish(batch: readonly Publication[]): Promise<void> {
    if (this.#closed) throw new Error('The bus is closed');
    if (batch.length === 0) return;
    const done = Promise.withResolvers<void>();
    let left = batch.length;
    let failure: Error | undefined;
    let refused = 0;
    const settled = (error?: Error) => {
      if (error !== undefined) {
        failure ??= error;
        refused++;
      }
      if (--left > 0) return;
      if (failure === undefined) return done.resolve();
      this.#counts?.refused.inc(refused);
      done.reject(new NudgeError('overloaded', { detail: 'The message bus does not answer', cause: failure }));
    };
    for (const publication of batch) this.#send(publication, settled);
    await done.promise;
  }

  async subscribe(topic: string, listener: (message: BusMessage) => void): Promise<() => void> {
    if (this.#closed) throw new Error('The bus is closed');
    let held = this.#topics.get(topic);
    if (held === undefined) {
      const channel = this.#prefix + topic;
      held = new Topic(channel);
      this.#topics.set(topic, held);
      this.#place(held, false);
    }
    const subscription = { listener };
    held.subscriptions.add(subscription);
    const joined = held;
    const unsubscribe = () => {
      if (!joined.subscriptions.delete(subscription) || joined.subscriptions.size > 0) return;
      if (this.#topics.get(topic) === joined) this.#topics.delete(topic);
      if (joined.node !== undefined) this.#nodes.get(joined.node)?.subscriber.leave(joined.channel);
    };
    try {
      if (!joined.inForce) {
        if (!this.#isReachable(joined)) throw new Error('There is no connection to Redis');
        await withDeadline(joined.opening(), this.#connection.timings.connectMs);
      }
      if (this.#closed) throw new Error('The bus is closed');
      return unsubscribe;
    } catch (cause) {
      unsubscribe();
      if (this.#closed) throw cause;
      throw new NudgeError('overloaded', { detail: 'The message bus does not answer', cause });
    }
  }

  onInterruption(listener: () => void): () => void {
    const own = () => listener();
    this.#interruptions.add(own);
    return () => void this.#interruptions.delete(own);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    for (const { publisher, subscriber } of this.#nodes.values()) {
      subscriber[Symbol.dispose]();
      publisher[Symbol.dispose]();
    }
    for (const topic of this.#topics.values()) topic.failed(new Error('The bus is closed'));
    this.#nodes.clear();
    this.#topics.clear();
    this.#interruptions.clear();
    this.#unsent.clear();
  }

  #send(publication: Publication, settled: (error?: Error) => void): void {
    const channel = this.#prefix + publication.topic;
    const node = this.#connection.nodeOfKey(channel);
    const publisher = node === undefined ? undefined : this.#nodes.get(node)?.publisher;
    const settle = (error?: Error) => {
      if (error !== undefined && !this.#closed) this.#unsent.keep(publication);
      settled(error);
    };
    const text = encodeMessage(publication.message);
    if (!publisher?.send({ channel, text, settle })) settle(new Error('There is no connection to Redis, or too much waits for it'));
  }

  #sendUnsent(node: string): void {
    const due = this.#unsent.take((topic) => this.#connection.nodeOfKey(this.#prefix + topic) === node);
    for (const publication of due) this.#send(publication, () => undefined);
  }

  /** Opens links to masters that came, ends those to masters that left, moves the topics whose slot moved. */
  #followTopology(): void {
    if (this.#closed) return;
    const present = new Set(this.#connection.nodes);
    for (const node of present) if (!this.#nodes.has(node)) this.#nodes.set(node, this.#openNode(node));
    for (const topic of this.#topics.values()) {
      const node = this.#connection.nodeOfKey(topic.channel);
      if (node === topic.node) continue;
      const before = topic.node === undefined ? undefined : this.#nodes.get(topic.node);
      before?.subscriber.leave(topic.channel);
      this.#place(topic, true);
    }
    for (const [name, node] of this.#nodes) {
      if (present.has(name)) {
        this.#sendUnsent(name);
        continue;
      }
      this.#nodes.delete(name);
      node.subscriber[Symbol.dispose]();
      node.publisher[Symbol.dispose]();
    }
  }

  #openNode(node: string): Node {
    const { timings } = this.#connection;
    const onError = (error: unknown) => this.#connection.reported(error);
    const onMoved = () => this.#connection.refreshTopology();
    const publisher = new PublisherLink({
      open: () => this.#connection.openNode(node, 'publisher'),
      timings,
      maxWaiting: this.#maxWaiting,
      onReady: () => this.#sendUnsent(node),
      onMoved,
      onError,
    });
    const subscriber = new SubscriberLink({
      open: () => this.#connection.openNode(node, 'subscriber'),
      timings,
      anySlots: this.#connection.kind === 'standalone',
      canaryChannel: () => this.#connection.keyOn(node, (at) => `${this.#prefix}canary/${this.#canaryId}/${at}`),
      sendCanary: (channel) => void publisher.send({ channel, text: '', settle: () => undefined }),
      onMessage: (channel, text) => this.#hear(channel, text),
      onDown: () => {
        for (const topic of this.#topics.values()) if (topic.node === node) topic.inForce = false;
        onMoved();
      },
      onRestored: () => this.#interrupted(),
      onMoved,
      onDeaf: () => {
        this.#counts?.deaf.inc();
        this.#log?.warn('a subscriber of the bus heard nothing, not even its canary: it is replaced');
      },
      onError,
    });
    return { publisher, subscriber };
  }

  #place(topic: Topic, lost: boolean): void {
    topic.inForce = false;
    topic.node = this.#connection.nodeOfKey(topic.channel);
    if (topic.node !== undefined) this.#nodes.get(topic.node)?.subscriber.join(topic, lost);
  }

  #isReachable(topic: Topic): boolean {
    return topic.node !== undefined && this.#nodes.get(topic.node)?.subscriber.ready === true;
  }

  #hear(channel: string, text: string): void {
    const subscriptions = this.#topics.get(channel.slice(this.#prefix.length))?.subscriptions;
    if (subscriptions === undefined) return;
    for (const message of decodeMessages(text)) {
      for (const { listener } of subscriptions) this.#guarded(() => listener(message));
    }
  }

  /** Several nodes may lose their connections at once: that is told once per turn. */
  #interrupted(): void {
    if (this.#announcing || this.#closed) return;
    this.#announcing = true;
    setImmediate(() => {
      this.#announcing = false;
      this.#counts?.interruptions.inc();
      for (const listener of this.#interruptions) this.#guarded(listener);
    });
  }

  #guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log?.error({ err: error }, 'a bus listener failed');
    }
  }
}
