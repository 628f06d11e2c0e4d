import { userTopic } from '@nudge/server-kit';
import { LRUCache } from 'lru-cache';
import { TopicList, type Topics } from './topic-list.ts';

/** Current members of a conversation and the version they stand for, read in one statement on the primary. */
export interface MemberList {
  readonly appId: string;
  readonly memberVersion: number;
  readonly users: readonly string[];
}

/** Where the keys of a conversation go: one topic per member, as of `memberVersion`. */
export interface Recipients {
  readonly memberVersion: number;
  readonly topics: Topics;
}

/** What one version of the member list did to the one before; nothing at all when only a role, a mute or a ban changed. */
export interface MemberDelta {
  readonly joined?: string;
  readonly left?: string;
}

/** A copy; versions that follow one another share one list, which only ever moves forward. */
interface Held extends Recipients {
  readonly topics: TopicList;
}

export interface MemberCacheOptions {
  readonly load: (conversationId: string) => Promise<MemberList | null>;
  /** Members held over all conversations. */
  readonly capacity: number;
}

/**
 * Recipients by conversation. A copy is never trusted by age: whoever asks names the version that the append returned, and a copy below
 * it is read again, unless the change that made the version is at hand. A copy above it is as good: who left meanwhile may hear nothing, who
 * joined may hear.
 */
export class MemberCache {
  readonly #load: MemberCacheOptions['load'];
  readonly #lists: LRUCache<string, Held>;
  readonly #flights = new Map<string, Promise<Recipients>>();

  constructor(options: MemberCacheOptions) {
    this.#load = options.load;
    this.#lists = new LRUCache({ maxSize: options.capacity, sizeCalculation: (list) => list.topics.size + 1 });
  }

  /** Forgets all copies: the database is another than before. */
  clear(): void {
    this.#lists.clear();
    this.#flights.clear();
  }

  /** The recipients when a copy of at least `version` is at hand. */
  peek(conversationId: string, version: number): Recipients | undefined {
    const list = this.#lists.get(conversationId);
    return list !== undefined && list.memberVersion >= version ? list : undefined;
  }

  /**
   * Moves a copy on to the version that a change made, when that is the next one: a large conversation is not read again for each of its
   * members who comes or goes. Any other copy stays as it is and is read again by whoever needs a newer one.
   */
  apply(change: { readonly appId: string; readonly conversationId: string; readonly memberVersion: number }, delta: MemberDelta): void {
    const { appId, conversationId, memberVersion } = change;
    const held = this.#lists.peek(conversationId);
    if (held === undefined || held.memberVersion + 1 !== memberVersion) return;
    const { topics } = held;
    if (delta.joined !== undefined) topics.add(userTopic(appId, delta.joined));
    if (delta.left !== undefined) topics.delete(userTopic(appId, delta.left));
    this.#lists.set(conversationId, { memberVersion, topics });
  }

  /** The recipients as of now. */
  refresh(conversationId: string): Promise<Recipients> {
    return this.#fill(conversationId);
  }

  /** The recipients as of at least `version`. Concurrent callers share one read, but for those whose version it began too early to see. */
  async get(conversationId: string, version: number): Promise<Recipients> {
    const held = this.peek(conversationId, version);
    if (held !== undefined) return held;
    const shared = this.#flights.get(conversationId);
    if (shared !== undefined) {
      const list = await shared.catch(() => undefined);
      if (list !== undefined && list.memberVersion >= version) return list;
    }
    const own = await (this.#flights.get(conversationId) ?? this.#fill(conversationId));
    if (own.memberVersion >= version) return own;
    const last = await this.#fill(conversationId);
    if (last.memberVersion < version) throw new Error(`members at version ${last.memberVersion}, although an append saw ${version}`);
    return last;
  }

  #fill(conversationId: string): Promise<Recipients> {
    const flight = this.#read(conversationId).finally(() => {
      if (this.#flights.get(conversationId) === flight) this.#flights.delete(conversationId);
    });
    this.#flights.set(conversationId, flight);
    return flight;
  }

  async #read(conversationId: string): Promise<Recipients> {
    const list = await this.#load(conversationId);
    if (list === null) return { memberVersion: 0, topics: new TopicList() };
    const recipients = {
      memberVersion: list.memberVersion,
      topics: new TopicList(list.users.map((user) => userTopic(list.appId, user))),
    };
    const held = this.#lists.get(conversationId);
    if (held === undefined || held.memberVersion <= recipients.memberVersion) this.#lists.set(conversationId, recipients);
    return recipients;
  }
}
