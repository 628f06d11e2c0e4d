import type { LogEvent, Positioned, Pulling, Starting, Violation } from './log-state.ts';

type Page<T extends Positioned> = Extract<LogEvent<T>, { type: 'page' }>;

/** What a page comes to when it is laid against the cursor it was asked for. */
export type PageOutcome<T extends Positioned> =
  | {
      readonly type: 'moved';
      /** What the log did not have yet, in order. */
      readonly items: readonly T[];
      readonly cursor: number;
      readonly head: number;
      readonly newRange: boolean;
      /** The same direction has more: ask again at once. */
      readonly more: boolean;
    }
  /** The cursor lies below what is visible. */
  | { readonly type: 'truncated'; readonly head: number }
  | { readonly type: 'violation'; readonly kind: Violation };

/** Judges the answer to a pull after a cursor. A page is taken whole or not at all. */
export function pageAfter<T extends Positioned>(state: Pulling, page: Page<T>): PageOutcome<T> {
  if (state.kind === 'entries' && page.oldestSeq > state.after + 1) return { type: 'truncated', head: page.head };
  if (!follows(page.items, state.after, state.kind === 'entries')) return { type: 'violation', kind: 'gap' };
  const last = page.items.at(-1)?.seq ?? state.after;
  // A compacted log can end above its last row: the newest version may have overwritten an older row of this very page.
  const end = state.kind === 'feed' && !page.more ? Math.max(last, page.head) : last;
  const cursor = Math.max(state.cursor, end);
  const advanced = end > state.after;
  const owed = page.more ? !page.crowded : state.asked > cursor || page.head > cursor;
  if (!advanced && owed) return { type: 'violation', kind: 'short' };
  const items = page.items.filter((item) => item.seq > state.cursor);
  return { type: 'moved', items, cursor, head: page.head, newRange: false, more: page.more };
}

/** Judges the newest page. With an old range kept (`prior`) it continues that range where it reaches it, else begins a new one. */
export function pageFromEnd<T extends Positioned>(state: Starting, page: Pick<Page<T>, 'items' | 'head'>): PageOutcome<T> {
  const first = page.items[0]?.seq;
  if (first !== undefined && !follows(page.items, first - 1, true)) return { type: 'violation', kind: 'gap' };
  const cursor = page.items.at(-1)?.seq ?? page.head;
  if (cursor < state.asked || (state.prior !== null && cursor < state.prior)) return { type: 'violation', kind: 'short' };
  const joins = state.prior !== null && (first === undefined ? cursor === state.prior : first <= state.prior + 1);
  const items = joins ? page.items.filter((item) => item.seq > (state.prior ?? 0)) : page.items;
  return { type: 'moved', items, cursor, head: page.head, newRange: !joins, more: false };
}

/** Whether the items continue `after`: by exactly one each in a gapless log, rising in a compacted one. */
function follows(items: readonly Positioned[], after: number, gapless: boolean): boolean {
  let last = after;
  for (const { seq } of items) {
    if (gapless ? seq !== last + 1 : seq <= last) return false;
    last = seq;
  }
  return true;
}
