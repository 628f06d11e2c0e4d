import type { EntriesPage, Entry } from '@nudge/types';
import type { ConversationState } from './conversation-state.ts';
import type { ViewMembers } from './members.ts';

/** Own reactions by seq of the entry they stand on; the emojis of one are sorted by code unit. */
export type Mine = Readonly<Record<string, readonly string[]>>;

/**
 * A conversation as one viewer sees it at `cursor`: the newest entries with everything folded into them that later entries did to them.
 * Immutable; what a step does not change stays the same object.
 */
export interface ConversationView {
  readonly viewer: string;
  /** Everything up to this seq is folded. */
  readonly cursor: number;
  /** First seq the viewer may see. */
  readonly oldestSeq: number;
  /** Ascending, without a hole, ending at `cursor`. */
  readonly entries: readonly Entry[];
  readonly mine: Mine;
  /** Members as far as the entries that were folded tell of them. */
  readonly members: ViewMembers;
  readonly state: ConversationState;
}

/** What a view needs of an answer; `head` is the state it was made from. */
export type ViewPage = Pick<EntriesPage, 'entries' | 'mine' | 'head' | 'oldestSeq'>;

/** A view of nothing, to which the entry after `cursor` comes next. */
export function emptyView(viewer: string, cursor = 0): ConversationView {
  return { viewer, cursor, oldestSeq: 1, entries: [], mine: {}, members: {}, state: { stateSeq: 0 } };
}

/** Seq of the first entry held, or of the one that will be. */
export function firstSeq({ entries, cursor }: ConversationView): number {
  return entries[0]?.seq ?? cursor + 1;
}

/** The entry with this seq, where it is held. */
export function entryAt(view: ConversationView, seq: number): Entry | undefined {
  return view.entries[seq - firstSeq(view)];
}

/** Pinned entries among those held, ascending. The whole list is `pins()` of the client. */
export function pinnedIn({ entries }: ConversationView): readonly Entry[] {
  return entries.filter(({ pinned }) => pinned === true);
}

/** The newest `limit` entries; what the older ones told of members and state stays known. */
export function trimView(view: ConversationView, limit: number): ConversationView {
  if (view.entries.length <= limit) return view;
  const entries = limit === 0 ? [] : view.entries.slice(-limit);
  return { ...view, entries, mine: mineFrom(view.mine, entries[0]?.seq ?? view.cursor + 1) };
}

/** Own reactions on entries from `first` on. */
export function mineFrom(mine: Mine, first: number): Mine {
  const kept = Object.entries(mine).filter(([seq]) => Number(seq) >= first);
  return kept.length === Object.keys(mine).length ? mine : Object.fromEntries(kept);
}
