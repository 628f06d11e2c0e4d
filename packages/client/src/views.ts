import type { Conversation, Entry } from '@nudge/types';
import type { Clock } from './clock.ts';
import type { Storage } from './storage.ts';
import type { News } from './sync-driver.ts';
import { applyConversation, applyPage, expire, mergeHistory, nextExpiry, visibleFrom } from './view/fold.ts';
import { type ConversationView, emptyView, entryAt, firstSeq, trimView, type ViewPage } from './view/view.ts';

/** A timer can wait for 24 days at most, and the wall clock may be set meanwhile: look again at least this often, ms. */
const LOOK_AGAIN_MS = 60 * 60_000;

export interface ViewsDeps {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly viewer: () => string;
  /** How far a conversation is applied; `null` while it is not started. */
  readonly cursor: (conversationId: string) => number | null;
  /** Entries held of each conversation; older ones go. */
  readonly limit: number;
  /** A view is another one now. `changed`: entries held before, as they now stand. */
  readonly changed: (view: ConversationView, conversationId: string, changed: readonly Entry[]) => void;
}

/** The views of a device: carries the fold out over storage and time, and has no rule of its own. */
export class Views {
  readonly #deps: ViewsDeps;
  readonly #views = new Map<string, ConversationView>();
  readonly #timers = new Map<string, () => void>();
  /** What the fold of entries changed, until they are stored. */
  readonly #pending = new Map<string, readonly Entry[]>();
  /** The server's clock minus this device's, ms. */
  #ahead = 0;

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  /** The server's time, as it just said. */
  serverTime(text: string): void {
    const time = Date.parse(text);
    if (Number.isFinite(time)) this.#ahead = time - this.#deps.clock.now();
  }

  /** The view of a conversation; after a restart from what was stored. `undefined` while it is not started. */
  get(id: string): ConversationView | undefined {
    const known = this.#views.get(id);
    if (known !== undefined) return known;
    const cursor = this.#deps.cursor(id);
    if (cursor === null) return undefined;
    const entries = this.#deps.storage.entries(log(id));
    const empty = emptyView(this.#deps.viewer(), (entries[0]?.seq ?? cursor + 1) - 1);
    const page = { entries: [...entries], mine: mutable(this.#deps.storage.mine(log(id))), head: cursor, oldestSeq: 1 };
    const view = this.#bounded(applyPage(empty, page));
    this.#views.set(id, view);
    this.#schedule(id, view);
    return view;
  }

  /** Folds entries that come next, and gives them back as they are to be stored. {@link applied} follows. */
  fold(id: string, { entries, cursor, newRange }: News, page: ViewPage | undefined): readonly Entry[] {
    const first = entries[0]?.seq ?? cursor + 1;
    const known = newRange ? undefined : (this.#views.get(id) ?? this.#stored(id, first - 1));
    const before = known?.cursor === first - 1 ? known : emptyView(this.#deps.viewer(), first - 1);
    const { mine = {}, oldestSeq = before.oldestSeq } = page ?? {};
    const view = this.#bounded(applyPage(before, { entries: [...entries], mine, head: cursor, oldestSeq }));
    this.#views.set(id, view);
    this.#pending.set(id, known === before ? changes(before, view) : []);
    return entries.map((entry) => entryAt(view, entry.seq) ?? entry);
  }

  /** What was folded is stored now: so is what it changed. */
  applied(id: string): void {
    const view = this.#views.get(id);
    if (view === undefined) return;
    const changed = this.#pending.get(id) ?? [];
    this.#pending.delete(id);
    this.#store(id, view, changed);
  }

  /** Puts older entries in front; false when they do not end where the view begins. */
  merge(id: string, page: ViewPage): boolean {
    const before = this.get(id);
    if (before === undefined) return false;
    const merged = mergeHistory(before, page);
    const last = page.entries.at(-1)?.seq;
    if (last === undefined || last !== firstSeq(before) - 1) return last === undefined;
    const view = expire(merged, this.#now());
    this.#deps.storage.prepend(
      log(id),
      view.entries.filter(({ seq }) => seq <= last),
    );
    this.#put(id, before, view);
    return true;
  }

  /** The visible history may begin later now. */
  visibleFrom(id: string, oldestSeq: number): void {
    const before = this.#views.get(id);
    if (before !== undefined) this.#put(id, before, visibleFrom(before, oldestSeq));
  }

  /** What the API says of the conversation itself. */
  conversation(conversation: Conversation): void {
    const before = this.get(conversation.id);
    if (before !== undefined) this.#put(conversation.id, before, applyConversation(before, conversation));
  }

  drop(id: string): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
    this.#views.delete(id);
    this.#pending.delete(id);
  }

  close(): void {
    for (const id of [...this.#timers.keys()]) this.drop(id);
  }

  /** The stored view, when it ends at `cursor`: while entries are being applied, the log's cursor is theirs already. */
  #stored(id: string, cursor: number): ConversationView | undefined {
    const entries = this.#deps.storage.entries(log(id));
    if (entries.at(-1)?.seq !== cursor) return undefined;
    const empty = emptyView(this.#deps.viewer(), (entries[0]?.seq ?? 1) - 1);
    return applyPage(empty, { entries: [...entries], mine: mutable(this.#deps.storage.mine(log(id))), head: cursor, oldestSeq: 1 });
  }

  #now(): number {
    return this.#deps.clock.now() + this.#ahead;
  }

  #bounded(view: ConversationView): ConversationView {
    return expire(trimView(view, this.#deps.limit), this.#now());
  }

  #put(id: string, before: ConversationView, view: ConversationView): void {
    if (view === before) return;
    this.#views.set(id, view);
    this.#store(id, view, changes(before, view));
  }

  #store(id: string, view: ConversationView, changed: readonly Entry[]): void {
    const { storage } = this.#deps;
    if (changed.length > 0) storage.replace(log(id), changed);
    if (view.mine !== storage.mine(log(id))) storage.saveMine(log(id), view.mine);
    if (view.oldestSeq > 1) storage.trim(log(id), view.oldestSeq);
    this.#schedule(id, view);
    this.#deps.changed(view, id, changed);
  }

  #schedule(id: string, view: ConversationView): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
    const due = nextExpiry(view);
    if (due === undefined) return;
    const wait = Math.min(LOOK_AGAIN_MS, Math.max(0, due - this.#now()));
    this.#timers.set(
      id,
      this.#deps.clock.after(wait, () => {
        const now = this.#views.get(id);
        if (now === undefined) return;
        const after = expire(now, this.#now());
        if (after === now) this.#schedule(id, now);
        else this.#put(id, now, after);
      }),
    );
  }
}

/** Entries that both hold and that are not what they were. */
function changes(before: ConversationView, after: ConversationView): readonly Entry[] {
  return before.entries.flatMap((entry) => {
    const now = entryAt(after, entry.seq);
    return now === undefined || now === entry ? [] : [now];
  });
}

function mutable(mine: Readonly<Record<string, readonly string[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(mine).map(([seq, emojis]) => [seq, [...emojis]]));
}

const log = (id: string) => `c/${id}` as const;
