import type { OwnReactions, PullStore } from '../store/pull-store.ts';

/** An entry with its folded reactions. `users` are the first who reacted, all of them while `count` says no more. */
export interface Reacted {
  readonly seq: number;
  readonly reactions: readonly { readonly emoji: string; readonly count: number; readonly users: readonly string[] }[];
}

/** A user's reactions as far as the entries themselves name them. `unsure`: seqs on which more users reacted than are named. */
export interface NamedReactions {
  readonly own: OwnReactions;
  readonly unsure: readonly number[];
}

/** What the entries say of one user's reactions: it was read together with their counts. */
export function namedReactions(reacted: readonly Reacted[], userId: string): NamedReactions {
  const own = new Map<number, readonly string[]>();
  const unsure: number[] = [];
  for (const { seq, reactions } of reacted) {
    const emojis = reactions.flatMap(({ emoji, users }) => (users.includes(userId) ? [emoji] : []));
    if (emojis.length > 0) own.set(seq, emojis);
    if (reactions.some(({ count, users }) => count > users.length && !users.includes(userId))) unsure.push(seq);
  }
  return { own, unsure };
}

/**
 * One user's reactions to the entries of many logs, in their order: by one statement for all that is unsure, by none when nothing is.
 * Asked of the primary after the entries were read: an own reaction that is counted on an entry must not be missing beside it, while one
 * that is newer than the counts comes with its own entry.
 */
export async function ownReactions(
  primary: PullStore,
  userId: string,
  logs: readonly { readonly conversationId: string; readonly reacted: readonly Reacted[] }[],
): Promise<readonly OwnReactions[]> {
  const named = logs.map(({ reacted }) => namedReactions(reacted, userId));
  const asked = logs.flatMap(({ conversationId }, i) => {
    const seqs = named[i]?.unsure ?? [];
    return seqs.length === 0 ? [] : [{ conversationId, seqs }];
  });
  const found = asked.length === 0 ? undefined : await primary.readOwnReactions(userId, asked);
  return named.map(({ own, unsure }, i) => {
    const told = found?.get(logs[i]?.conversationId ?? '');
    const all = new Map(own);
    for (const seq of unsure) {
      const emojis = told?.get(seq);
      if (emojis === undefined) all.delete(seq);
      else all.set(seq, emojis);
    }
    return all;
  });
}
