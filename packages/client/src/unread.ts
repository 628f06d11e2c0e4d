import type { Entry, Head } from '@nudge/types';
import { type ConversationView, firstSeq } from './view/view.ts';

/** What waits to be read in a conversation. */
export interface Unread {
  readonly readSeq: number;
  readonly unread: number;
  /** Unread messages that mention the user. */
  readonly mentions: number;
}

interface Count extends Unread {
  /** The count covers everything up to here. */
  readonly upTo: number;
}

/**
 * Unread counts between two syncs. The server's (heads, answers to read positions) are exact and replace what is here; meanwhile arriving
 * messages count up, read positions count down, and what becomes of messages held gives and takes mentions. An integrator's own entries say
 * themselves whether they count.
 */
export class UnreadCounts {
  readonly #counts = new Map<string, Count>();
  readonly #viewer: () => string | undefined;
  readonly #changed: (conversationId: string, unread: Unread) => void;

  constructor(viewer: () => string | undefined, changed: (conversationId: string, unread: Unread) => void) {
    this.#viewer = viewer;
    this.#changed = changed;
  }

  get(conversationId: string): Unread | undefined {
    const count = this.#counts.get(conversationId);
    return count === undefined ? undefined : { readSeq: count.readSeq, unread: count.unread, mentions: count.mentions };
  }

  /** The server's list. One that is behind what was counted or read here is followed by a newer one. */
  head({ id, lastSeq, readSeq, unread, mentions }: Pick<Head, 'id' | 'lastSeq' | 'readSeq' | 'unread' | 'mentions'>): void {
    const known = this.#counts.get(id);
    if (known !== undefined && (lastSeq < known.upTo || readSeq < known.readSeq)) return;
    this.#set(id, { readSeq, unread, mentions, upTo: lastSeq });
  }

  entry(conversationId: string, entry: Entry): void {
    const { seq, senderId, mentions } = entry;
    const known = this.#counts.get(conversationId);
    if (known === undefined || seq <= known.upTo) return;
    const me = this.#viewer();
    const counts = isCountable(entry) && senderId != null && senderId !== me && seq > known.readSeq;
    const named = counts && me !== undefined && mentions?.includes(me) === true;
    this.#set(conversationId, { ...known, upTo: seq, unread: known.unread + (counts ? 1 : 0), mentions: known.mentions + (named ? 1 : 0) });
  }

  /**
   * What is held is not what it was: an edit, a redaction or an expiry may have given or taken a mention, and retention what was unread.
   * What is visible no more counts as read.
   */
  changed(conversationId: string, view: ConversationView): void {
    const known = this.#counts.get(conversationId);
    if (known === undefined || view.cursor < known.upTo) return;
    const readSeq = Math.max(known.readSeq, view.oldestSeq - 1);
    if (firstSeq(view) > readSeq + 1) return;
    const { unread, mentions } = this.#above(view, readSeq);
    this.#set(conversationId, { ...known, readSeq, unread: readSeq > known.readSeq ? unread : known.unread, mentions });
  }

  /** The read position has moved. `exact`: the server's count with it; `view`: what can be counted here otherwise. */
  read(conversationId: string, readSeq: number, exact: number | undefined, view: ConversationView | undefined): void {
    const known = this.#counts.get(conversationId);
    if (known === undefined || readSeq < known.readSeq || (readSeq === known.readSeq && exact === undefined)) return;
    if (exact === 0 || readSeq >= known.upTo) {
      this.#set(conversationId, { ...known, readSeq, unread: 0, mentions: 0 });
      return;
    }
    if (view === undefined || firstSeq(view) > readSeq + 1) {
      this.#set(conversationId, { ...known, readSeq, unread: exact ?? known.unread });
      return;
    }
    const { unread, mentions } = this.#above(view, readSeq);
    this.#set(conversationId, { ...known, readSeq, unread: exact ?? unread, mentions });
  }

  drop(conversationId: string): void {
    this.#counts.delete(conversationId);
  }

  /** What a view that reaches down to a read position shows to be unread above it. */
  #above(view: ConversationView, readSeq: number): Pick<Unread, 'unread' | 'mentions'> {
    const me = this.#viewer();
    const above = view.entries.filter((entry) => entry.seq > readSeq && isCountable(entry) && entry.senderId !== me);
    const mentions = above.filter((entry) => me !== undefined && entry.mentions?.includes(me) === true);
    return { unread: above.length, mentions: mentions.length };
  }

  #set(conversationId: string, count: Count): void {
    const before = this.#counts.get(conversationId);
    this.#counts.set(conversationId, count);
    const { readSeq, unread, mentions } = count;
    if (before !== undefined && before.readSeq === readSeq && before.unread === unread && before.mentions === mentions) return;
    this.#changed(conversationId, { readSeq, unread, mentions });
  }
}

/** Whether the entry counts for those who did not send it. */
function isCountable({ type, countable }: Entry): boolean {
  return type === 'message' || countable === true;
}
