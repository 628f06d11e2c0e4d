import type { Conversation, Entry } from '@nudge/types';
import { foldState, stateOf, underState } from './conversation-state.ts';
import { act, type Draft, requote, withMine } from './draft.ts';
import { isOver, masked, redactedQuote, tombstone } from './fold-entry.ts';
import { foldMembers, underMembers } from './members.ts';
import { type ConversationView, emptyView, firstSeq, mineFrom, type ViewPage } from './view.ts';

/**
 * The fold: pages and entries become what a conversation looks like. Pure; the time is an argument. Whatever pages it came from and
 * whenever they were made, a view at a cursor equals one that starts from a fresh page there: `fold.property.test.ts`.
 */

/** A view that begins with a page: the newest one, or one after any cursor. */
export function viewOf(viewer: string, page: ViewPage): ConversationView {
  return applyPage(emptyView(viewer, (page.entries[0]?.seq ?? page.head + 1) - 1), page);
}

/**
 * Takes over a page after the cursor. What it repeats is skipped. A page that does not continue the view without a hole leaves the view as it is.
 * Entries come in the state of the page, which can be later than that of its last entry: `stateSeq` keeps every change from counting twice.
 */
export function applyPage(view: ConversationView, page: ViewPage): ConversationView {
  const news = page.entries.filter(({ seq }) => seq > view.cursor);
  if (news.some(({ seq }, index) => seq !== view.cursor + 1 + index)) return view;
  if (news.length === 0 && page.oldestSeq <= view.oldestSeq) return view;
  const draft: Draft = { viewer: view.viewer, entries: [...view.entries], mine: view.mine };
  let { members, state } = view;
  for (const entry of news) {
    draft.entries.push(entry);
    const own = page.mine[entry.seq];
    if (own !== undefined) draft.mine = withMine(draft.mine, entry.seq, own);
    act(draft, entry);
    members = foldMembers(members, entry);
    state = foldState(state, entry);
  }
  const { entries, mine } = draft;
  return onlyVisible({ ...view, cursor: view.cursor + news.length, entries, mine, members, state }, page.oldestSeq);
}

/** Takes over the next entry. One that is not the next leaves the view as it is. */
export function applyEntry(view: ConversationView, entry: Entry, mine: readonly string[] = []): ConversationView {
  return applyPage(view, { entries: [entry], mine: { [entry.seq]: [...mine] }, head: entry.seq, oldestSeq: view.oldestSeq });
}

/**
 * Puts a page of what lies right before the view in front of it. The page may be older than the cursor (what happened since is folded into
 * it) or newer. A page that does not end right before the view leaves it as it is.
 */
export function mergeHistory(view: ConversationView, page: ViewPage): ConversationView {
  const begin = firstSeq(view);
  const older = page.entries.filter(({ seq }) => seq < begin);
  if (older.some(({ seq }, index) => seq !== begin - older.length + index)) return view;
  if (older.length === 0) return visibleFrom(view, page.oldestSeq);
  let mine = view.mine;
  for (const { seq } of older) mine = withMine(mine, seq, page.mine[seq] ?? []);
  const draft: Draft = { viewer: view.viewer, entries: older, mine };
  for (const entry of view.entries) if (entry.seq > page.head) act(draft, entry);
  const entries = [...draft.entries, ...view.entries];
  requote(entries);
  const members = underMembers(older.reduce(foldMembers, {}), view.members);
  const state = underState(older.reduce(foldState, { stateSeq: 0 }), view.state);
  return onlyVisible({ ...view, entries, mine: draft.mine, members, state }, page.oldestSeq);
}

/** Takes over what `GET /v1/conversations/{id}` answered, unless more is known already. */
export function applyConversation(view: ConversationView, conversation: Conversation): ConversationView {
  const state = stateOf(conversation, view.state);
  return state === view.state ? view : visibleFrom({ ...view, state }, conversation.oldestSeq);
}

/** The visible history begins at `oldestSeq` now: earlier entries go, and what acts on them or quotes them keeps only their seq. */
export function visibleFrom(view: ConversationView, oldestSeq: number): ConversationView {
  return oldestSeq <= view.oldestSeq ? view : onlyVisible(view, oldestSeq);
}

/** Also for entries that were just taken over: their page may have been made when more was visible. */
function onlyVisible(view: ConversationView, told: number): ConversationView {
  const oldestSeq = Math.max(view.oldestSeq, told);
  if (oldestSeq <= 1) return view;
  const kept = firstSeq(view) < oldestSeq ? view.entries.filter(({ seq }) => seq >= oldestSeq) : view.entries;
  const entries = kept.map((entry) => masked(entry, oldestSeq));
  return { ...view, oldestSeq, entries, mine: mineFrom(view.mine, oldestSeq) };
}

/** Removes the content whose time is over. `now` in ms, by the server's clock. */
export function expire(view: ConversationView, now: number): ConversationView {
  let mine = view.mine;
  let changed = false;
  const entries = view.entries.map((entry) => {
    const { replyTo } = entry;
    if (isOver(entry, now)) {
      changed = true;
      if (mine[entry.seq] !== undefined) mine = withMine(mine, entry.seq, []);
      return tombstone(entry);
    }
    if (replyTo == null || !isOver(replyTo, now)) return entry;
    changed = true;
    return { ...entry, replyTo: redactedQuote(replyTo) };
  });
  return changed ? { ...view, entries, mine } : view;
}

/** When `expire` will next have something to do, ms by the server's clock; `undefined` when never. */
export function nextExpiry({ entries }: Pick<ConversationView, 'entries'>): number | undefined {
  let next: number | undefined;
  for (const { expiresAt, redacted, replyTo } of entries) {
    if (expiresAt != null && redacted !== true) next = Math.min(next ?? Infinity, Date.parse(expiresAt));
    if (replyTo?.expiresAt != null && replyTo.redacted !== true) next = Math.min(next ?? Infinity, Date.parse(replyTo.expiresAt));
  }
  return next;
}
