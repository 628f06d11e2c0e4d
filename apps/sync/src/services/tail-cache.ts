import { type Bus, type BusMessage, conversationTopic } from '@nudge/server-kit';
import { conversationLog } from '@nudge/types';
import type { ConversationState } from '../store/pull-store.ts';
import { Tail, type TailLimits } from './tail.ts';
import type { Ticks } from './ticks.ts';

/** What a {@link TailCache} needs. `totalBytes` bounds all tails together, `tail` each of them. */
export interface TailCacheOptions {
  readonly bus: Bus;
  readonly ticks: Ticks;
  readonly tail: TailLimits;
  readonly totalBytes: number;
  /** Told of keys: the log of a held conversation has reached a seq. */
  readonly onKey: (tail: Tail, seq: number) => void;
  /** Told when a control topic could not be subscribed: the conversation is then served uncached. */
  readonly onDeaf: (cause: unknown) => void;
}

interface Slot {
  readonly tail: Tail;
  unsubscribe: (() => void) | undefined;
  gone: boolean;
}

/**
 * The tails of the conversations read lately, bounded in bytes. A conversation is kept only while its control topic is subscribed,
 * so a change of its members or of an entry's text reaches the copies; when the bus may have lost messages, all copies go.
 */
export class TailCache implements AsyncDisposable {
  readonly #options: TailCacheOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #stopListening: () => void;
  #bytes = 0;
  #disposed = false;

  constructor(options: TailCacheOptions) {
    this.#options = options;
    this.#stopListening = options.bus.onInterruption(() => this.dropAll());
  }

  /** Bytes counted against the bound. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Conversations held. */
  get size(): number {
    return this.#slots.size;
  }

  /** The tail of a conversation, if it is held. */
  get(conversationId: string): Tail | undefined {
    const tail = this.#slots.get(conversationId)?.tail;
    if (tail !== undefined) tail.used = true;
    return tail;
  }

  /**
   * Holds a conversation that someone may read from now on. What the statement that led here read is not kept (the control topic was
   * not heard yet): the next one's rows are.
   */
  track(conversationId: string, state: ConversationState): Tail | undefined {
    const held = this.get(conversationId);
    if (held !== undefined || this.#disposed) return held;
    const slot: Slot = {
      tail: new Tail(conversationId, state, this.#options.tail, (by) => {
        if (!slot.gone) this.#grow(by);
      }),
      unsubscribe: undefined,
      gone: false,
    };
    this.#slots.set(conversationId, slot);
    this.#grow(slot.tail.bytes);
    void this.#listen(slot);
    return slot.tail;
  }

  /** Forgets every copy; the subscriptions stay. */
  dropAll(): void {
    const now = this.#options.ticks.now();
    for (const { tail } of this.#slots.values()) tail.drop(now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#stopListening();
    for (const slot of [...this.#slots.values()]) this.#remove(slot);
  }

  async #listen(slot: Slot): Promise<void> {
    const { bus, ticks, onKey, onDeaf } = this.#options;
    const { id, appId } = slot.tail;
    const log = conversationLog(id);
    const onMessage = (message: BusMessage): void => {
      if (message.kind === 'key') {
        if (message.log === log) onKey(slot.tail, message.seq);
      } else if (message.kind === 'control' && message.conversationId === id) slot.tail.drop(ticks.now(), message.memberVersion);
    };
    try {
      const unsubscribe = await bus.subscribe(conversationTopic(appId, id), onMessage);
      if (slot.gone) unsubscribe();
      else slot.unsubscribe = unsubscribe;
      slot.tail.heard(ticks.now());
    } catch (cause) {
      this.#remove(slot);
      onDeaf(cause);
    }
  }

  #remove(slot: Slot): void {
    if (slot.gone) return;
    slot.gone = true;
    this.#slots.delete(slot.tail.id);
    this.#bytes -= slot.tail.bytes;
    slot.unsubscribe?.();
  }

  /** Evicts until the bound holds again: the longest held first, those used since the last sweep get a second chance. */
  #grow(by: number): void {
    this.#bytes += by;
    for (const [id, slot] of this.#slots) {
      if (this.#bytes <= this.#options.totalBytes) return;
      if (slot.tail.used && this.#slots.size > 1) {
        slot.tail.used = false;
        this.#slots.delete(id);
        this.#slots.set(id, slot);
      } else {
        this.#remove(slot);
      }
    }
  }
}
