import type { Redis } from 'ioredis';
import { RedisAway, withDeadline } from './deadline.ts';
import { Lifeline } from './lifeline.ts';
import type { RedisTimings } from './timings.ts';

/** A text for a channel. `settle` is called once: without an error when the server took it. */
export interface Outgoing {
  readonly channel: string;
  readonly text: string;
  readonly settle: (error?: Error) => void;
}

export interface PublisherLinkOptions {
  readonly open: () => Redis;
  readonly timings: RedisTimings;
  /** Most texts waiting. */
  readonly maxWaiting: number;
  /** It can publish: what waits elsewhere may be sent. */
  readonly onReady: () => void;
  /** The node does not have the slot of a channel any more. */
  readonly onMoved: () => void;
  readonly onError: (error: unknown) => void;
}

/** Texts sent in one flush. */
const maxFlush = 2_000;
/** Longest text of several lines, characters. */
const maxText = 16_384;

/**
 * Publishes on one node: whatever came while the previous flush was in flight is the next, in one write, and lines for one channel are one
 * message. One flush at a time keeps the order whatever fails. A flush that is not answered within the deadline fails, and the connection
 * is left: its outcome is unknown.
 */
export class PublisherLink implements Disposable {
  readonly #options: PublisherLinkOptions;
  readonly #lifeline: Lifeline;
  #waiting: Outgoing[] = [];
  #flushing = false;
  #scheduled = false;

  constructor(options: PublisherLinkOptions) {
    this.#options = options;
    const { open, timings, onError, onReady } = options;
    this.#lifeline = new Lifeline({
      open,
      timings,
      onError,
      onReady: () => onReady(),
      onDown: () => this.#failAll(new RedisAway('The connection to Redis broke')),
    });
    this.#lifeline.start();
  }

  get ready(): boolean {
    return this.#lifeline.client !== undefined;
  }

  /** Puts a text into the line of its node. False when there is no connection or no room. */
  send(outgoing: Outgoing): boolean {
    if (!this.ready || this.#waiting.length >= this.#options.maxWaiting) return false;
    this.#waiting.push(outgoing);
    if (!this.#scheduled && !this.#flushing) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        void this.#flush();
      });
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#lifeline[Symbol.dispose]();
    this.#failAll(new RedisAway('The bus is closed'));
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      for (let client = this.#lifeline.client; client !== undefined && this.#waiting.length > 0; client = this.#lifeline.client) {
        await this.#send(client, this.#waiting.splice(0, maxFlush));
      }
    } finally {
      this.#flushing = false;
    }
  }

  async #send(client: Redis, batch: readonly Outgoing[]): Promise<void> {
    const groups = grouped(batch);
    const pipeline = client.pipeline();
    for (const { channel, text } of groups) pipeline.spublish(channel, text);
    try {
      const results = await withDeadline(pipeline.exec(), this.#options.timings.commandMs);
      this.#lifeline.proved();
      let moved = false;
      groups.forEach(({ members }, at) => {
        const error = results?.[at]?.[0] ?? undefined;
        moved ||= error?.message.startsWith('MOVED') === true;
        for (const { settle } of members) settle(error);
      });
      if (moved) this.#options.onMoved();
    } catch (error) {
      const failure = error instanceof Error ? error : new RedisAway('Redis did not take it', { cause: error });
      for (const { settle } of batch) settle(failure);
      this.#options.onError(error);
      this.#lifeline.restart();
    }
  }

  #failAll(error: Error): void {
    for (const { settle } of this.#waiting.splice(0)) settle(error);
  }
}

interface Group {
  readonly channel: string;
  text: string;
  readonly members: Outgoing[];
}

/** One text per channel, its lines in the order they came, unless that grows long. */
function grouped(batch: readonly Outgoing[]): Group[] {
  const groups: Group[] = [];
  const open = new Map<string, Group>();
  for (const outgoing of batch) {
    const group = open.get(outgoing.channel);
    if (group !== undefined && group.text.length + outgoing.text.length < maxText) {
      group.text += `\n${outgoing.text}`;
      group.members.push(outgoing);
    } else {
      const next = { channel: outgoing.channel, text: outgoing.text, members: [outgoing] };
      open.set(outgoing.channel, next);
      groups.push(next);
    }
  }
  return groups;
}
