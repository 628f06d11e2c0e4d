import { type Bus, type Clock, conversationTopic, userTopic } from '@nudge/server-kit';
import { conversationLog, feedLog } from '@nudge/types';
import { FanOut, type FanOutContext } from './fan-out.ts';
import type { MemberCache, MemberDelta } from './member-cache.ts';
import { Outgoing, type Settle } from './outgoing.ts';
import { type PaceOptions, paceOf } from './pace.ts';

/** A conversation's log has reached `seq`. */
export interface HeadChange {
  readonly appId: string;
  readonly conversationId: string;
  readonly seq: number;
  /** Version of the membership as the append saw it. */
  readonly memberVersion: number;
  /** Who may do what, or the content of an entry, changed for the worse: copies held elsewhere are dropped. */
  readonly copiesStale: boolean;
  /** Users who are told at once, past the pace. */
  readonly mentioned?: readonly string[];
  /** Of an operation: what it did to the list of members. */
  readonly delta?: MemberDelta;
}

/** A user's feed has reached `version`. */
export interface FeedChange {
  readonly appId: string;
  readonly userId: string;
  readonly version: number;
}

/** A conversation of which copies held elsewhere are out of date, though its log has not grown; as of `head`. */
export interface StaleCopies {
  readonly appId: string;
  readonly conversationId: string;
  readonly memberVersion: number;
  readonly head: number;
}

export interface PublisherOptions {
  readonly bus: Pick<Bus, 'publish'>;
  readonly members: MemberCache;
  readonly pace: PaceOptions;
  readonly clock: Clock;
}

/**
 * Announces after commit that logs have grown. The members of a conversation hear by its {@link FanOut}, the less often the more they are. Those
 * who watch the conversation hear at once, through its own topic, and so do those whom an entry mentions.
 */
export class Publisher {
  readonly #members: MemberCache;
  readonly #outgoing: Outgoing;
  readonly #fanOutContext: FanOutContext;
  readonly #fanOuts = new Map<string, FanOut>();
  readonly #open = new Set<Promise<void>>();
  #hurry = false;

  constructor(options: PublisherOptions) {
    const { members, pace, clock, bus } = options;
    this.#members = members;
    this.#outgoing = new Outgoing(bus);
    this.#fanOutContext = {
      clock,
      members,
      outgoing: this.#outgoing,
      roundOf: (size) => (this.#hurry ? 0 : paceOf(size, pace)),
      onRest: (conversationId) => this.#fanOuts.delete(conversationId),
    };
  }

  /** Resolves when the bus has accepted everything these changes stand for, the last paced fan-out included; rejects when it did not. */
  announce(changes: readonly HeadChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    return this.#track(changes.length * 3, (settle) => {
      for (const change of changes) {
        if (change.delta !== undefined) this.#members.apply(change, change.delta);
        this.#tellWatchers(change, settle);
        this.#tellMentioned(change, settle);
        this.#tellMembers(change, settle);
      }
    });
  }

  /** Tells users that their feeds have grown; resolves when the bus has accepted it. */
  announceFeeds(changes: readonly FeedChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    return this.#track(1, (settle) => {
      const publications = this.#outgoing.open(settle);
      for (const { appId, userId, version } of changes) {
        publications.push({
          topic: userTopic(appId, userId),
          message: { kind: 'key', log: feedLog(userId), seq: version },
        });
      }
    });
  }

  /** Has copies held elsewhere dropped; resolves when the bus has accepted it. */
  dropCopies(stale: readonly StaleCopies[]): Promise<void> {
    if (stale.length === 0) return Promise.resolve();
    return this.#track(1, (settle) => {
      const publications = this.#outgoing.open(settle);
      for (const { appId, conversationId, memberVersion, head } of stale) {
        publications.push({
          topic: conversationTopic(appId, conversationId),
          message: { kind: 'control', conversationId, memberVersion, head },
        });
      }
    });
  }

  /** Sends what is being held back and resolves when the bus has answered to everything. Later changes are not held back any more. */
  async drain(): Promise<void> {
    this.#hurry = true;
    for (const fanOut of [...this.#fanOuts.values()]) fanOut.hurry();
    await Promise.allSettled([...this.#open]);
  }

  #track(count: number, start: (settle: Settle) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let left = count;
    let failure: unknown;
    this.#open.add(promise);
    start((error) => {
      failure ??= error;
      left -= 1;
      if (left > 0) return;
      this.#open.delete(promise);
      if (failure === undefined) resolve();
      else reject(failure);
    });
    return promise;
  }

  #tellWatchers(change: HeadChange, settle: Settle): void {
    const { appId, conversationId, seq } = change;
    const publications = this.#outgoing.open(settle);
    const topic = conversationTopic(appId, conversationId);
    // Before the key: whoever drops its copy of the members on it judges the key by the new ones.
    if (change.copiesStale) {
      publications.push({
        topic,
        message: { kind: 'control', conversationId, memberVersion: change.memberVersion, head: seq },
      });
    }
    publications.push({ topic, message: { kind: 'key', log: conversationLog(conversationId), seq } });
  }

  /** A message names members only. An operation may go on naming somebody who has left (an edit), and who is told nothing. */
  #tellMentioned({ appId, conversationId, seq, memberVersion, mentioned = [], delta }: HeadChange, settle: Settle): void {
    if (mentioned.length === 0) {
      settle();
      return;
    }
    const log = conversationLog(conversationId);
    const tell = (isMember: (topic: string) => boolean): void => {
      const publications = this.#outgoing.open(settle);
      for (const topic of mentioned.map((userId) => userTopic(appId, userId)).filter(isMember)) {
        publications.push({ topic, message: { kind: 'key', log, seq, direct: true } });
      }
    };
    const held = this.#members.peek(conversationId, memberVersion);
    if (delta === undefined) tell(() => true);
    else if (held !== undefined) tell((topic) => held.topics.has(topic));
    else this.#members.get(conversationId, memberVersion).then(({ topics }) => tell((topic) => topics.has(topic)), settle);
  }

  #tellMembers({ conversationId, seq, memberVersion }: HeadChange, settle: Settle): void {
    let fanOut = this.#fanOuts.get(conversationId);
    if (fanOut === undefined) {
      fanOut = new FanOut(this.#fanOutContext, conversationId);
      this.#fanOuts.set(conversationId, fanOut);
    }
    fanOut.tell(seq, memberVersion, settle);
  }
}
