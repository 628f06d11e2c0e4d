import type { FeedItem, Preferences } from '@nudge/types';
import type { ClientEvents } from './events.ts';

/** The events that the own feed leads to. */
export type FeedEvents = Pick<ClientEvents, 'read' | 'preferences' | 'membership' | 'block' | 'notice'>;
type Hear = { readonly [Name in keyof FeedEvents]: (payload: FeedEvents[Name]) => void };

/** What the user's own feed says, newest state per subject: the same on all devices of the user. */
export class OwnFeed {
  readonly #items = new Map<string, FeedItem>();
  readonly #hear: Hear;

  constructor(hear: Hear) {
    this.#hear = hear;
  }

  /** Takes over what was stored; tells nobody. */
  restore(items: readonly FeedItem[]): void {
    for (const item of items) this.#items.set(item.subject, item);
  }

  clear(): void {
    this.#items.clear();
  }

  /** Takes over an item; an older one than what is known of its subject changes nothing. */
  put(item: FeedItem): void {
    const known = this.#items.get(item.subject);
    if (known !== undefined && known.version >= item.version) return;
    this.#items.set(item.subject, item);
    const at = item.subject.indexOf('/');
    const id = item.subject.slice(at + 1);
    const { state } = item;
    switch (item.subject.slice(0, at)) {
      case 'read':
        if (typeof state.readSeq === 'number') this.#hear.read({ conversationId: id, readSeq: state.readSeq });
        return;
      case 'pref':
        this.#hear.preferences({ conversationId: id, preferences: state as Preferences });
        return;
      case 'member':
        this.#hear.membership({ conversationId: id, state });
        return;
      case 'block':
        this.#hear.block({ userId: id, blocked: state.blocked === true });
        return;
      case 'notice':
        this.#hear.notice({ noticeId: id, body: isObject(state.body) ? state.body : null });
        return;
    }
  }

  blocks(userId: string): boolean {
    return this.#items.get(`block/${userId}`)?.state.blocked === true;
  }

  /** What was set; empty while nothing is. */
  preferences(conversationId: string): Preferences {
    return (this.#items.get(`pref/${conversationId}`)?.state ?? {}) as Preferences;
  }

  /** The own read position; 0 while the feed does not tell. */
  readSeq(conversationId: string): number {
    const seq = this.#items.get(`read/${conversationId}`)?.state.readSeq;
    return typeof seq === 'number' ? seq : 0;
  }

  /** Notices that were not dismissed, by id. */
  notices(): ReadonlyMap<string, Readonly<Record<string, unknown>>> {
    const all = new Map<string, Readonly<Record<string, unknown>>>();
    for (const { subject, state } of this.#items.values())
      if (subject.startsWith('notice/') && isObject(state.body)) all.set(subject.slice('notice/'.length), state.body);
    return all;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
