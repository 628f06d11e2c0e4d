import type { StoredEntry } from './acts.ts';

/** What is folded into a message, as the log itself says it when it is read from the start. */
export interface Folded {
  readonly stateSeq: number | null;
  readonly redacted: boolean;
  readonly edited: boolean;
  readonly pinned: boolean;
  readonly text: string | null;
  readonly mentions: readonly string[] | null;
  readonly reactions: readonly { readonly emoji: string; readonly count: number; readonly users: readonly string[] }[] | null;
}

interface State {
  text: string | null;
  mentions: readonly string[] | null;
  stateSeq: number | null;
  redacted: boolean;
  edited: boolean;
  pinned: boolean;
  versions: (string | null)[];
  readonly sender: string;
  /** Who reacted when, by emoji in order of first appearance. */
  readonly reactions: Map<string, Reactor[]>;
}

interface Reactor {
  readonly user: string;
  readonly at: string;
}

/** What an act says. `at`: the time of its entry. */
interface Said {
  readonly at: string;
  readonly text?: string;
  readonly mentions?: readonly string[];
  readonly emoji?: string;
}

/** A naive conversation: keeps every reactor and recomputes what is shown from them. */
export class FoldModel {
  readonly messages = new Map<number, State>();

  send(seq: number, sender: string, text: string, mentions: readonly string[]): void {
    this.messages.set(seq, {
      ...{ text, mentions: some(mentions), stateSeq: null, redacted: false, edited: false, pinned: false },
      ...{ versions: [], sender, reactions: new Map() },
    });
  }

  /** What an act of `seq` does to its target; false when it would change nothing. */
  apply(seq: number, type: string, who: string, target: number, value: Said): boolean {
    const state = this.messages.get(target);
    if (state === undefined) throw new Error(`no message ${target}`);
    if (state.redacted || !this.#change(state, type, who, value)) return false;
    state.stateSeq = seq;
    return true;
  }

  #change(state: State, type: string, who: string, value: Said): boolean {
    const { text = '', mentions = [], emoji = '', at } = value;
    if (type === 'message.edited') {
      const wanted = some(mentions);
      if (state.text === text && JSON.stringify(state.mentions) === JSON.stringify(wanted)) return false;
      state.versions.push(state.text);
      Object.assign(state, { text, mentions: wanted, edited: true });
    } else if (type === 'message.redacted') {
      Object.assign(state, { text: null, mentions: null, redacted: true, pinned: false, versions: [] });
      state.reactions.clear();
    } else if (type === 'message.pinned' || type === 'message.unpinned') {
      if (state.pinned === (type === 'message.pinned')) return false;
      state.pinned = !state.pinned;
    } else {
      const users = state.reactions.get(emoji) ?? [];
      if (users.some((one) => one.user === who) === (type === 'reaction.added')) return false;
      const after = type === 'reaction.added' ? [...users, { user: who, at }] : users.filter((one) => one.user !== who);
      if (after.length === 0) state.reactions.delete(emoji);
      else state.reactions.set(emoji, after);
    }
    return true;
  }

  folded(): Map<number, Folded> {
    return new Map(
      [...this.messages].map(([seq, { stateSeq, redacted, edited, pinned, text, mentions, reactions }]) => {
        const shown = [...reactions].map(([emoji, users]) => ({ emoji, count: users.length, users: firstTen(users) }));
        return [seq, { stateSeq, redacted, edited, pinned, text, mentions, reactions: shown.length === 0 ? null : shown }];
      }),
    );
  }

  /** Rows of table mention: [user, seq]. */
  mentionRows(): [string, number][] {
    return [...this.messages].flatMap(([seq, { mentions, sender }]) =>
      (mentions ?? []).filter((user) => user !== sender).map((user): [string, number] => [user, seq]),
    );
  }
}

/** The same of a stored row. */
export function foldedOf(entry: StoredEntry): Folded {
  return {
    stateSeq: entry.state_seq,
    redacted: entry.redacted_at !== null,
    edited: entry.edited_at !== null,
    pinned: entry.pinned_at !== null,
    text: (entry.body?.text as string | undefined) ?? null,
    mentions: entry.mentions,
    reactions: entry.reactions,
  };
}

const some = (users: readonly string[]): readonly string[] | null => (users.length === 0 ? null : [...new Set(users)]);

/** Those of one millisecond by their ids. */
const firstTen = (users: readonly Reactor[]): string[] =>
  users
    .map(({ user, at }) => `${at} ${user}`)
    .toSorted()
    .slice(0, 10)
    .map((one) => one.slice(one.indexOf(' ') + 1));
