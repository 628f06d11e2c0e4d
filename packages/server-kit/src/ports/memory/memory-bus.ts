import type { Logger } from '../../log.ts';
import type { Bus, BusMessage, Publication } from '../bus.ts';

type Subscription = { readonly listener: (message: BusMessage) => void };

/** Publications that listeners may cause while one is being delivered. */
const maxPending = 100_000;

/**
 * The bus of a single process. Listeners are called inside `publish`, so an idle gateway hears a key without a turn of the event loop in
 * between. What a listener publishes waits until the present message has reached everyone: the order per topic is the same for all.
 */
export class MemoryBus implements Bus {
  readonly #topics = new Map<string, Set<Subscription>>();
  readonly #interruptions = new Set<() => void>();
  readonly #log: Logger | undefined;
  #pending: Publication[] = [];
  #delivering = false;
  #closed = false;

  constructor(options: { readonly log?: Logger } = {}) {
    this.#log = options.log;
  }

  async publish(batch: readonly Publication[]): Promise<void> {
    if (this.#closed) throw new Error('The bus is closed');
    if (this.#delivering) {
      if (this.#pending.length + batch.length > maxPending) throw new Error('The bus has too many messages waiting');
      for (const publication of batch) this.#pending.push(publication);
      return;
    }
    this.#delivering = true;
    try {
      this.#deliver(batch);
      while (this.#pending.length > 0) {
        const next = this.#pending;
        this.#pending = [];
        this.#deliver(next);
      }
    } finally {
      this.#delivering = false;
    }
  }

  async subscribe(topic: string, listener: (message: BusMessage) => void): Promise<() => void> {
    if (this.#closed) throw new Error('The bus is closed');
    const subscription = { listener };
    const present = this.#topics.get(topic);
    if (present === undefined) this.#topics.set(topic, new Set([subscription]));
    else present.add(subscription);
    return () => {
      const subscriptions = this.#topics.get(topic);
      if (subscriptions?.delete(subscription) && subscriptions.size === 0) this.#topics.delete(topic);
    };
  }

  onInterruption(listener: () => void): () => void {
    const own = () => listener();
    this.#interruptions.add(own);
    return () => void this.#interruptions.delete(own);
  }

  /** Tells everyone that keys may have been lost. Nothing is lost here by itself: for tests, and for whoever bridges this bus to another. */
  interrupt(): void {
    for (const listener of this.#interruptions) this.#guarded(listener);
  }

  /** Topics with a subscriber. */
  get topicCount(): number {
    return this.#topics.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#pending = [];
    this.#topics.clear();
    this.#interruptions.clear();
  }

  #deliver(batch: readonly Publication[]): void {
    for (const { topic, message } of batch) {
      const subscriptions = this.#topics.get(topic);
      if (subscriptions === undefined) continue;
      for (const { listener } of subscriptions) {
        try {
          listener(message);
        } catch (error) {
          this.#report(error);
        }
      }
    }
  }

  #guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#log?.error({ err: error }, 'a bus listener failed');
  }
}
