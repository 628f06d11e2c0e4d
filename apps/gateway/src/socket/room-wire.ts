import type { Bus, BusMessage, Clock, Logger } from '@nudge/server-kit';
import type { GatewayCounts } from '../services/counts.ts';
import { RetrySet } from '../services/retry-set.ts';

export interface RoomWireOptions {
  /** A bus of its own: ephemeral events must not crowd out keys. */
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counts: GatewayCounts;
  /** Whether anything is ever emitted to the room; the others only name whom to leave out. Asked with '' for the channel of all rooms. */
  readonly isRelayed: (room: string) => boolean;
  /** Whether what comes for the room may be passed on now. */
  readonly accepts: (room: string) => boolean;
  /** Whether the text is what a gateway says to the room; anything else is passed over. Default: all of it. */
  readonly isPacket?: (text: string, room: string) => boolean;
  /** Packets on their way at most; more are dropped. */
  readonly maxInFlight?: number;
  /** Wait before subscriptions that failed are tried again, ms. */
  readonly retryMs?: number;
}

/** Before the name of every channel of the adapter. */
export const channelPrefix = 'rooms';
const start = `${channelPrefix}#/#`;

type Handler = (message: Buffer, channel: string) => void;

/** A channel that the adapter wants to hear. */
interface Held {
  readonly handler: Handler;
  readonly room: string;
  unsubscribe: (() => void) | undefined;
}

/**
 * The client that socket.io's sharded adapter publishes and subscribes with, in the spelling of the `redis` package, over a {@link Bus}. The
 * adapter drops the promises of its subscriptions and waits for those of its publishes before it delivers here: so none of these ever
 * rejects, and none takes time. What cannot be sent is dropped; what cannot be subscribed is tried again until it can or is unwanted.
 */
export class RoomWire implements Disposable {
  readonly #options: RoomWireOptions;
  readonly #held = new Map<string, Held>();
  readonly #failed: RetrySet<string>;
  #inFlight = 0;
  #stopped = false;

  constructor(options: RoomWireOptions) {
    this.#options = options;
    const { clock, retryMs = 1_000 } = options;
    this.#failed = new RetrySet({ clock, retryMs, attempt: (channel) => this.#open(channel) });
  }

  sPublish(channel: string, payload: unknown): Promise<void> {
    const { bus, counts, maxInFlight = 1_000 } = this.#options;
    // The product sends nothing binary, which alone is encoded otherwise.
    if (this.#stopped || typeof payload !== 'string' || this.#inFlight >= maxInFlight) {
      counts.packetsDropped++;
      return sent;
    }
    this.#inFlight++;
    bus.publish([{ topic: channel, message: { kind: 'packet', text: payload } }]).then(
      () => {
        this.#inFlight--;
        counts.packetsSent++;
      },
      () => {
        this.#inFlight--;
        counts.packetsDropped++;
      },
    );
    return sent;
  }

  sSubscribe(channel: string, handler: Handler): Promise<void> {
    const room = channel.startsWith(start) ? channel.slice(start.length, -1) : undefined;
    if (this.#stopped || room === undefined || !this.#options.isRelayed(room)) return sent;
    this.#held.set(channel, { handler, room, unsubscribe: undefined });
    void this.#open(channel).then((done) => {
      if (!done) this.#failed.add(channel);
    });
    return sent;
  }

  sUnsubscribe(channels: string | readonly string[]): Promise<void> {
    for (const channel of typeof channels === 'string' ? [channels] : channels) {
      this.#held.get(channel)?.unsubscribe?.();
      this.#held.delete(channel);
      this.#failed.delete(channel);
    }
    return sent;
  }

  /** Hears and sends nothing more. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#failed.stop();
    void this.sUnsubscribe([...this.#held.keys()]);
  }

  /** Answers whether the channel is heard, or no longer has to be. Never rejects. */
  async #open(channel: string): Promise<boolean> {
    const held = this.#held.get(channel);
    if (held === undefined || held.unsubscribe !== undefined) return true;
    try {
      const unsubscribe = await this.#options.bus.subscribe(channel, (message) => this.#hear(held, channel, message));
      if (this.#held.get(channel) === held) held.unsubscribe = unsubscribe;
      else unsubscribe();
      return true;
    } catch {
      // The bus says by itself that it is away.
      return this.#held.get(channel) !== held;
    }
  }

  #hear({ handler, room }: Held, channel: string, message: BusMessage): void {
    const { accepts, isPacket, counts, log } = this.#options;
    if (this.#stopped || message.kind !== 'packet' || !accepts(room) || isPacket?.(message.text, room) === false) return;
    counts.packetsHeard++;
    try {
      handler(Buffer.from(message.text), channel);
    } catch (error) {
      log.warn({ err: error }, 'a packet of another gateway could not be read');
    }
  }
}

const sent = Promise.resolve();
