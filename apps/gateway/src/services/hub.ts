import type { Bus, BusMessage, Clock } from '@nudge/server-kit';
import type { LogName } from '@nudge/types';
import type { Coalescer } from './coalescer.ts';
import { RetrySet } from './retry-set.ts';
import type { Session } from './session.ts';
import { settledWithin } from './settled-within.ts';

type Control = Extract<BusMessage, { kind: 'control' }>;
type Receipt = Extract<BusMessage, { kind: 'receipt' }>;
type Kick = Extract<BusMessage, { kind: 'kick' }>;

/** A bus topic with the local sessions that are to hear it. */
class Channel {
  readonly topic: string;
  readonly sessions: Session[] = [];
  /** Whoever needs the subscription without hearing keys (yet). */
  holds = 0;
  unsubscribe: (() => void) | undefined = undefined;
  /** Settled once the bus confirmed the subscription, or is not waited for any longer; absent afterwards. */
  opening: Promise<void> | undefined = undefined;
  /** Someone was let in before the bus confirmed it. */
  isLate = false;

  constructor(topic: string) {
    this.topic = topic;
  }
}

/** Times in ms. */
export interface HubOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly coalescer: Coalescer;
  /** How long a session waits for the bus at most. */
  readonly waitMs?: number;
  /** Between two attempts to subscribe what the bus refused. */
  readonly retryMs?: number;
  /** Over which time sessions are told to resync whose topic was late. */
  readonly resyncSpreadMs: number;
  /** A topic is heard only now although sessions were let in before: what was said on it meanwhile is lost. */
  readonly onLate: (topic: string) => void;
  /** A key came on a conversation's topic; answers whether it may be passed on. */
  readonly onConversationKey: (topic: string, log: LogName, seq: number) => boolean;
  /** A conversation's membership or entries changed. */
  readonly onControl: (topic: string, message: Control) => void;
  /** A member has read or received up to a seq. */
  readonly onReceipt: (topic: string, message: Receipt) => void;
  /** A user's blocks or privacy changed. */
  readonly onUser: (topic: string) => void;
  /** Sessions of a user are to end. */
  readonly onKick: (topic: string, message: Kick) => void;
}

/**
 * Turns bus messages into keys of local sessions. One subscription per topic, however many sessions share it; none without a session.
 *
 * A bus that is away keeps nobody out: the session begins without its topic, which is late then, and is told to resync once the topic is in force.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #channels = new Map<string, Channel>();
  readonly #refused: RetrySet<Channel>;
  #late = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    const { clock, retryMs = 1_000 } = options;
    this.#refused = new RetrySet({ clock, retryMs, attempt: (channel) => this.#subscribe(channel) });
  }

  /** Topics subscribed, or to be. */
  get size(): number {
    return this.#channels.size;
  }

  /** Of those, the ones that are not heard yet although sessions count on them. */
  get lateCount(): number {
    return this.#late;
  }

  /** Tries nothing any more. */
  stop(): void {
    this.#refused.stop();
  }

  /** Local sessions on a topic. */
  sessions(topic: string): readonly Session[] {
    return this.#channels.get(topic)?.sessions ?? [];
  }

  /** Adds a session; resolves when what is published from then on is heard, or the bus was waited for long enough. */
  async join(topic: string, session: Session): Promise<void> {
    const channel = this.#channel(topic);
    channel.sessions.push(session);
    await channel.opening;
  }

  leave(topic: string, session: Session): void {
    const channel = this.#channels.get(topic);
    const at = channel?.sessions.indexOf(session) ?? -1;
    if (channel === undefined || at < 0) return;
    const last = channel.sessions.pop();
    if (last !== undefined && last !== session) channel.sessions[at] = last;
    this.#closeUnused(channel);
  }

  /** Subscribes to a topic for whoever will `add` sessions to it; resolves as `join` does. */
  async hold(topic: string): Promise<void> {
    const channel = this.#channel(topic);
    channel.holds++;
    await channel.opening;
  }

  release(topic: string): void {
    const channel = this.#channels.get(topic);
    if (channel === undefined) return;
    channel.holds--;
    this.#closeUnused(channel);
  }

  /** Adds a session to a topic that is held. */
  add(topic: string, session: Session): void {
    this.#channels.get(topic)?.sessions.push(session);
  }

  #channel(topic: string): Channel {
    let channel = this.#channels.get(topic);
    if (channel === undefined) {
      channel = new Channel(topic);
      this.#channels.set(topic, channel);
      channel.opening = this.#open(channel);
    }
    return channel;
  }

  async #open(channel: Channel): Promise<void> {
    const { clock, waitMs = 1_000 } = this.#options;
    const subscribed = this.#subscribe(channel).then((done) => {
      if (!done) this.#refused.add(channel);
    });
    await settledWithin(clock, waitMs, subscribed);
    channel.opening = undefined;
    if (channel.unsubscribe !== undefined || !this.#isWanted(channel)) return;
    channel.isLate = true;
    this.#late++;
  }

  /** Answers whether the channel is heard now, or is not wanted any more. Never rejects. */
  async #subscribe(channel: Channel): Promise<boolean> {
    // Topics are `<app>/u/<user>` or `<app>/c/<conversation>`, and no id contains a slash.
    const ofConversation = channel.topic.includes('/c/');
    let unsubscribe: () => void;
    try {
      unsubscribe = await this.#options.bus.subscribe(channel.topic, (message) => this.#hear(channel, message, ofConversation));
    } catch {
      // The bus says by itself that it is away.
      return !this.#isWanted(channel);
    }
    if (!this.#isWanted(channel)) {
      unsubscribe();
      return true;
    }
    channel.unsubscribe = unsubscribe;
    if (channel.isLate) this.#arrived(channel);
    return true;
  }

  #arrived(channel: Channel): void {
    const { coalescer, resyncSpreadMs, onLate } = this.#options;
    channel.isLate = false;
    this.#late--;
    for (const session of channel.sessions) coalescer.resync(session, resyncSpreadMs);
    onLate(channel.topic);
  }

  #isWanted(channel: Channel): boolean {
    return this.#channels.get(channel.topic) === channel;
  }

  #closeUnused(channel: Channel): void {
    if (channel.sessions.length > 0 || channel.holds > 0 || !this.#isWanted(channel)) return;
    this.#channels.delete(channel.topic);
    this.#refused.delete(channel);
    if (channel.isLate) this.#late--;
    channel.unsubscribe?.();
  }

  #hear(channel: Channel, message: BusMessage, ofConversation: boolean): void {
    const { coalescer, onConversationKey, onControl, onReceipt, onUser, onKick } = this.#options;
    switch (message.kind) {
      case 'control':
        onControl(channel.topic, message);
        return;
      case 'receipt':
        if (ofConversation) onReceipt(channel.topic, message);
        return;
      case 'user':
        if (!ofConversation) onUser(channel.topic);
        return;
      case 'kick':
        if (!ofConversation) onKick(channel.topic, message);
        return;
      case 'key':
        break;
      default:
        // A kind of a later version, from a process that is newer than this one.
        return;
    }
    const { log, seq, direct = false } = message;
    if (ofConversation && !onConversationKey(channel.topic, log, seq)) return;
    const { sessions } = channel;
    // Backwards: pushing may end a session, which then leaves by taking the place of the last.
    for (let i = sessions.length - 1; i >= 0; i--) {
      const session = sessions[i];
      if (session !== undefined) coalescer.offer(session, log, seq, direct);
    }
  }
}
