import type { Presence } from '@nudge/types';
import type { Accepted, Link } from './link.ts';

/** What the server says of watched conversations: how far each reaches, and which it refuses. */
export type WatchAnswer = Accepted<'watch'>;

/** Conversations named in one event; the server's limit. */
const NAMED_AT_ONCE = 100;

export interface InterestsDeps {
  readonly link: Link;
  /** A watched conversation reaches this far. */
  readonly head: (conversationId: string, seq: number) => void;
  readonly presence: (presence: Presence) => void;
  readonly failed: (error: unknown) => void;
}

/** What this device wants to be told of. A new session knows of nothing: the interests are the client's own and are told to each. */
export class Interests {
  readonly #deps: InterestsDeps;
  readonly #watched = new Set<string>();
  #presenceOf: readonly string[] | undefined;
  #status: 'online' | 'away' | undefined;

  constructor(deps: InterestsDeps) {
    this.#deps = deps;
  }

  async watch(conversationIds: readonly string[]): Promise<WatchAnswer | undefined> {
    for (const id of conversationIds) this.#watched.add(id);
    return this.#deps.link.open && conversationIds.length > 0 ? await this.#sendWatch([...conversationIds]) : undefined;
  }

  async unwatch(conversationIds: readonly string[]): Promise<void> {
    for (const id of conversationIds) this.#watched.delete(id);
    if (this.#deps.link.open && conversationIds.length > 0)
      await this.#deps.link.request('unwatch', { conversationIds: [...conversationIds] });
  }

  async watchPresence(userIds: readonly string[]): Promise<readonly Presence[] | undefined> {
    this.#presenceOf = [...userIds];
    return this.#deps.link.open ? await this.#sendPresenceWatch(this.#presenceOf) : undefined;
  }

  async setPresence(status: 'online' | 'away'): Promise<void> {
    this.#status = status;
    if (this.#deps.link.open) await this.#deps.link.request('presence.set', { status });
  }

  /** Tells a session that has just begun. */
  restore(): void {
    const { link, failed } = this.#deps;
    const watched = [...this.#watched];
    for (let at = 0; at < watched.length; at += NAMED_AT_ONCE) this.#sendWatch(watched.slice(at, at + NAMED_AT_ONCE)).catch(failed);
    if (this.#presenceOf !== undefined) this.#sendPresenceWatch(this.#presenceOf).catch(failed);
    if (this.#status !== undefined) link.request('presence.set', { status: this.#status }).catch(failed);
  }

  async #sendWatch(conversationIds: string[]): Promise<WatchAnswer> {
    const answer = await this.#deps.link.request('watch', { conversationIds });
    for (const [id, seq] of Object.entries(answer.heads)) this.#deps.head(id, seq);
    for (const id of Object.keys(answer.refused)) this.#watched.delete(id);
    return answer;
  }

  async #sendPresenceWatch(userIds: readonly string[]): Promise<readonly Presence[]> {
    const { presence } = await this.#deps.link.request('presence.watch', { userIds: [...userIds] });
    for (const each of presence) this.#deps.presence(each);
    return presence;
  }
}
