import type { Bus, BusMessage } from '@nudge/server-kit';
import type { LogName } from '@nudge/types';
import type { Coalescer } from './coalescer.ts';
import type { Session } from './session.ts';

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
  /** Settled once the bus confirmed the subscription; absent afterwards. */
  opening: Promise<void> | undefined = undefined;

  constructor(topic: string) {
    this.topic = topic;
  }
}

export interface HubOptions {
  readonly bus: Bus;
  readonly coalescer: Coalescer;
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

/** Turns bus messages into keys of local sessions. One subscription per topic, however many sessions share it; none without a session. */
export class Hub {
  readonly #options: HubOptions;
  readonly #channels = new Map<string, Channel>();

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** Topics subscribed. */
  get size(): number {
    return this.#channels.size;
  }

  /** Local sessions on a topic. */
  sessions(topic: string): readonly Session[] {
    return this.#channels.get(topic)?.sessions ?? [];
  }

  /** Adds a session; resolves when what is published from then on is heard. Rejects, without the session, when the bus refuses. */
  async join(topic: string, session: Session): Promise<void> {
    const channel = this.#channel(topic);
    channel.sessions.push(session);
    try {
      await channel.opening;
    } catch (error) {
      this.leave(topic, session);
      throw error;
    }
  }

  leave(topic: string, session: Session): void {
    const channel = this.#channels.get(topic);
    const at = channel?.sessions.indexOf(session) ?? -1;
    if (channel === undefined || at < 0) return;
    const last = channel.sessions.pop();
    if (last !== undefined && last !== session) channel.sessions[at] = last;
    this.#closeUnused(channel);
  }

  /** Subscribes to a topic for whoever will `add` sessions to it; resolves when what is published from then on is heard. */
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
    // Topics are `<app>/u/<user>` or `<app>/c/<conversation>`, and no id contains a slash.
    const ofConversation = channel.topic.includes('/c/');
    const unsubscribe = await this.#options.bus.subscribe(channel.topic, (message) => this.#hear(channel, message, ofConversation));
    channel.opening = undefined;
    if (this.#channels.get(channel.topic) === channel) channel.unsubscribe = unsubscribe;
    else unsubscribe();
  }

  #closeUnused(channel: Channel): void {
    if (channel.sessions.length > 0 || channel.holds > 0 || this.#channels.get(channel.topic) !== channel) return;
    this.#channels.delete(channel.topic);
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
