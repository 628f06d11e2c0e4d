import type { Entry } from '@nudge/types';
import { foldEntry, isActing, superseded, withQuote } from './fold-entry.ts';
import type { Mine } from './view.ts';

/** A stretch of a conversation that is being changed: entries without a hole, and the viewer's own reactions on them. */
export interface Draft {
  readonly viewer: string;
  readonly entries: Entry[];
  mine: Mine;
}

/** Lets an acting entry have its effect on everything in the draft: its target, what quotes that, and earlier edits of it. */
export function act(draft: Draft, acting: Entry): void {
  const { target: seq, type } = acting;
  if (typeof seq !== 'number' || !isActing(acting)) return;
  const first = draft.entries[0]?.seq ?? 0;
  const target = draft.entries[seq - first];
  const after = target === undefined ? undefined : foldEntry(target, acting);
  if (after !== undefined && after !== target) {
    draft.entries[seq - first] = after;
    reactOwn(draft, after, acting);
  }
  if (type !== 'message.edited' && type !== 'message.redacted') return;
  const original =
    type === 'message.redacted' ? { body: null, redacted: true as const } : acting.body == null ? undefined : (after ?? acting);
  for (let at = Math.max(0, seq + 1 - first); at < draft.entries.length; at++) {
    const entry = draft.entries[at];
    if (entry === undefined) continue;
    if (entry.replyTo?.seq === seq && original !== undefined) draft.entries[at] = withQuote(entry, original);
    else if (entry.target === seq && entry.type === 'message.edited' && entry.seq < acting.seq && entry.body != null)
      draft.entries[at] = superseded(entry);
  }
}

function reactOwn(draft: Draft, target: Entry, { type, senderId, body }: Entry): void {
  const before = draft.mine[target.seq];
  if (target.redacted === true) {
    if (before !== undefined) draft.mine = withMine(draft.mine, target.seq, []);
    return;
  }
  if (senderId !== draft.viewer || typeof body?.emoji !== 'string') return;
  const { emoji } = body;
  if (type === 'reaction.added') draft.mine = withMine(draft.mine, target.seq, [...(before ?? []), emoji]);
  if (type === 'reaction.removed')
    draft.mine = withMine(
      draft.mine,
      target.seq,
      (before ?? []).filter((each) => each !== emoji),
    );
}

/** Own reactions with those on one entry replaced: each once, sorted. */
export function withMine(mine: Mine, seq: number, emojis: readonly string[]): Mine {
  const all: Record<string, readonly string[]> = { ...mine };
  if (emojis.length === 0) delete all[seq];
  else all[seq] = [...new Set(emojis)].sort();
  return all;
}

/** Lets every quotation of a held entry show what that entry is now. */
export function requote(entries: Entry[]): void {
  const first = entries[0]?.seq ?? 0;
  for (const [at, entry] of entries.entries()) {
    if (entry.replyTo == null) continue;
    const original = entries[entry.replyTo.seq - first];
    if (original !== undefined) entries[at] = withQuote(entry, original);
  }
}
