import { userTopic } from '@nudge/server-kit';
import { LRUCache } from 'lru-cache';

/** Current members of a conversation and the version they stand for, read in one statement on the primary. */
export interface MemberList {
  readonly appId: string;
  readonly memberVersion: number;
  readonly users: readonly string[];
}

/** Where the keys of a conversation go: one topic per member, as of `memberVersion`. */
export interface Recipients {
  readonly memberVersion: number;
  readonly topics: readonly string[];
}

export interface MemberCacheOptions {
  readonly load: (conversationId: string) => Promise<MemberList | null>;
  /** Members held over all conversations. */
  readonly capacity: number;
}

/**
 * Recipients by conversation. A copy is never trusted by age: whoever asks names the version that the append returned, and a copy below
 * it is read again. A copy above it is as good: who left meanwhile may hear nothing, who joined may hear.
 */
export class MemberCache {
  readonly #load: MemberCacheOptions['load'];
  readonly #lists: LRUCache<string, Recipients>;
  readonly #flights = new Map<string, Promise<Recipients>>();

  constructor(options: MemberCacheOptions) {
    this.#load = options.load;
    this.#lists = new LRUCache({ maxSize: options.capacity, sizeCalculation: (list) => list.topics.length + 1 });
  }

  /** The recipients when a copy of at least `version` is at hand. */
  peek(conversationId: string, version: number): Recipients | undefined {
    const list = this.#lists.get(conversationId);
    return list !== undefined && list.memberVersion >= version ? list : undefined;
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
    if (list === null) return { memberVersion: 0, topics: [] };
    const recipients = {
      memberVersion: list.memberVersion,
      topics: list.users.map((user) => userTopic(list.appId, user)),
    };
    const held = this.#lists.get(conversationId);
    if (held === undefined || held.memberVersion <= recipients.memberVersion) this.#lists.set(conversationId, recipients);
    return recipients;
  }
}
