import type { Redis } from 'ioredis';
import { RedisAway, withDeadline } from './deadline.ts';
import { Lifeline } from './lifeline.ts';
import { slotOf } from './slot.ts';
import type { RedisTimings } from './timings.ts';

/** A channel that is to be heard. `confirmed` when the server said so, `failed` when it did not. */
export interface Subscribed {
  readonly channel: string;
  confirmed(): void;
  failed(error: Error): void;
}

export interface SubscriberLinkOptions {
  readonly open: () => Redis;
  readonly timings: RedisTimings;
  /** Channels of several slots may stand in one command: not on a Cluster. */
  readonly anySlots: boolean;
  /** A channel of this node by which it is told whether it hears; undefined while it has no slot. */
  readonly canaryChannel: () => string | undefined;
  /** Publishes to the canary's channel on this node. */
  readonly sendCanary: (channel: string) => void;
  readonly onMessage: (channel: string, text: string) => void;
  /** What had been in force is not. */
  readonly onDown: () => void;
  /** Everything is in force again after messages may have been lost. */
  readonly onRestored: () => void;
  /** The node does not have the slot of a channel any more. */
  readonly onMoved: () => void;
  readonly onDeaf: () => void;
  readonly onError: (error: unknown) => void;
}

/** Channels in one SSUBSCRIBE. */
const maxChannels = 500;
/** Commands sent before their answers are awaited. */
const maxWindow = 1_000;

/**
 * Hears the channels of one node. The client library can sit in `ready` and hear nothing, so the link publishes a canary to itself through the
 * node's publisher: not heard within the deadline, for whatever reason, the connection is replaced. A new connection subscribes everything
 * anew, and only when all is in force again is the interruption told.
 */
export class SubscriberLink implements Disposable {
  readonly #options: SubscriberLinkOptions;
  readonly #lifeline: Lifeline;
  readonly #channels = new Map<string, Subscribed>();
  readonly #joining = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #tick: NodeJS.Timeout;
  #canary: string | undefined;
  #lastHeard = 0;
  #scheduled = false;
  #pumping = false;
  /** Messages may have been lost since the last time all was in force. */
  #owes = false;

  constructor(options: SubscriberLinkOptions) {
    this.#options = options;
    const { open, timings, onError } = options;
    this.#lifeline = new Lifeline({ open, timings, onError, onReady: (client) => this.#begin(client), onDown: () => this.#down() });
    this.#lifeline.start();
    this.#tick = setInterval(() => this.#listen(), timings.canaryEveryMs);
  }

  get ready(): boolean {
    return this.#lifeline.client !== undefined;
  }

  /** Connected, and everything joined is heard. */
  get inForce(): boolean {
    return this.ready && !this.#pumping && this.#joining.size === 0;
  }

  /** Hears a channel from its confirmation on. With `lost` it was heard elsewhere before, and messages may be missing. */
  join(subscribed: Subscribed, lost = false): void {
    this.#owes ||= lost;
    this.#channels.set(subscribed.channel, subscribed);
    this.#leaving.delete(subscribed.channel);
    this.#joining.add(subscribed.channel);
    this.#schedule();
  }

  leave(channel: string): void {
    if (!this.#channels.delete(channel)) return;
    this.#joining.delete(channel);
    this.#leaving.add(channel);
    this.#schedule();
  }

  /** The node's slots may have changed: everything is subscribed anew. */
  restart(): void {
    this.#lifeline.restart();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#tick);
    this.#lifeline[Symbol.dispose]();
    this.#channels.clear();
  }

  #begin(client: Redis): void {
    const { onMessage, onMoved, canaryChannel } = this.#options;
    this.#lastHeard = performance.now();
    this.#canary = canaryChannel();
    client.on('smessage', (channel: string, text: string) => {
      if (this.#lifeline.client !== client) return;
      if (channel === this.#canary) this.#heard();
      else onMessage(channel, text);
    });
    // The server ended subscriptions by itself: their slot went to another node.
    client.on('moved', () => {
      if (this.#lifeline.client !== client) return;
      onMoved();
      this.#lifeline.restart();
    });
    this.#leaving.clear();
    this.#joining.clear();
    if (this.#canary !== undefined) this.#joining.add(this.#canary);
    for (const channel of this.#channels.keys()) this.#joining.add(channel);
    void this.#pump();
  }

  #heard(): void {
    this.#lastHeard = performance.now();
    this.#lifeline.proved();
  }

  #listen(): void {
    if (!this.ready) return;
    const { timings, sendCanary, onDeaf } = this.#options;
    if (performance.now() - this.#lastHeard > timings.canaryDeadlineMs) {
      onDeaf();
      this.#lifeline.restart();
    } else if (this.#canary !== undefined) {
      sendCanary(this.#canary);
    }
  }

  #down(): void {
    this.#owes = true;
    this.#options.onDown();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      void this.#pump();
    });
  }

  /**
   * Sends what is to be joined and left until nothing is. Commands are answered in their order, so a channel that is left and joined again
   * ends up joined without waiting. So many at a time that a window is answered within the deadline even after a storm of reconnects.
   */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let client = this.#lifeline.client; client !== undefined; client = this.#lifeline.client) {
        for (const channels of this.#chunks(this.#leaving)) {
          // A channel that is heard for a while longer has no listener: that this failed harms nothing.
          client.sunsubscribe(...channels).catch((error: unknown) => this.#options.onError(error));
        }
        this.#leaving.clear();
        if (this.#joining.size === 0) break;
        const window = this.#chunks(this.#joining).slice(0, maxWindow);
        for (const channel of window.flat()) this.#joining.delete(channel);
        const asked = client;
        await Promise.all(window.map((channels) => this.#ask(asked, channels)));
      }
    } finally {
      this.#pumping = false;
    }
    this.#settle();
  }

  async #ask(client: Redis, channels: readonly string[]): Promise<void> {
    const { timings, onMoved, onError } = this.#options;
    try {
      await withDeadline(client.ssubscribe(...channels), timings.commandMs);
      if (this.#lifeline.client !== client) return;
      for (const channel of channels) this.#channels.get(channel)?.confirmed();
    } catch (error) {
      if (this.#lifeline.client !== client) return;
      onError(error);
      const failure = error instanceof Error ? error : new RedisAway('Redis did not subscribe', { cause: error });
      for (const channel of channels) this.#channels.get(channel)?.failed(failure);
      if (/^(MOVED|CLUSTERDOWN)/.test(failure.message)) onMoved();
      this.#lifeline.restart();
    }
  }

  /** All is in force: what is owed is told. */
  #settle(): void {
    if (!this.#owes || this.#joining.size > 0 || !this.ready) return;
    this.#owes = false;
    this.#options.onRestored();
  }

  #chunks(channels: ReadonlySet<string>): string[][] {
    const chunks: string[][] = [];
    const open = new Map<number, string[]>();
    for (const channel of channels) {
      const group = this.#options.anySlots ? 0 : slotOf(channel);
      const chunk = open.get(group);
      if (chunk !== undefined && chunk.length < maxChannels) {
        chunk.push(channel);
      } else {
        const next = [channel];
        open.set(group, next);
        chunks.push(next);
      }
    }
    return chunks;
  }
}
