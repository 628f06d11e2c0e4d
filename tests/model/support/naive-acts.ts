import type { Entry, Reaction } from '@nudge/types';

/** An act that the server answered: what was wanted, and the seq it got. */
export type Act =
  | {
      readonly kind: 'send';
      readonly userId: string;
      readonly text: string;
      readonly mentions: readonly string[];
      readonly replyTo?: number;
    }
  | { readonly kind: 'edit'; readonly target: number; readonly text: string; readonly mentions: readonly string[] }
  | { readonly kind: 'redact' | 'pin' | 'unpin'; readonly target: number }
  | { readonly kind: 'react' | 'unreact'; readonly target: number; readonly userId: string; readonly emoji: string };

/** A message as a naive reader works it out: every act on it, one after the other, in the order of their seqs. */
export interface NaiveMessage {
  text: string | null;
  mentions: readonly string[];
  redacted: boolean;
  pinned: boolean;
  edited: boolean;
  stateSeq: number | undefined;
  /** Users by emoji, in the order in which they reacted; the emojis in order of appearance. */
  readonly reactions: Map<string, string[]>;
}

/** What the acknowledged acts make of the messages, by seq. */
export function naiveMessages(acts: ReadonlyMap<number, Act>): Map<number, NaiveMessage> {
  const messages = new Map<number, NaiveMessage>();
  for (const [seq, act] of [...acts].sort(([a], [b]) => a - b)) {
    if (act.kind === 'send') {
      messages.set(seq, {
        text: act.text,
        mentions: act.mentions,
        redacted: false,
        pinned: false,
        edited: false,
        stateSeq: undefined,
        reactions: new Map(),
      });
      continue;
    }
    const message = messages.get(act.target);
    if (message === undefined) throw new Error(`${seq} acts on ${act.target}, which nobody sent`);
    message.stateSeq = seq;
    perform(message, act);
  }
  return messages;
}

function perform(message: NaiveMessage, act: Exclude<Act, { kind: 'send' }>): void {
  switch (act.kind) {
    case 'edit':
      message.text = act.text;
      message.mentions = act.mentions;
      message.edited = true;
      return;
    case 'redact':
      Object.assign(message, { text: null, mentions: [], redacted: true, pinned: false, edited: false });
      message.reactions.clear();
      return;
    case 'pin':
    case 'unpin':
      message.pinned = act.kind === 'pin';
      return;
    case 'react':
      message.reactions.set(act.emoji, [...(message.reactions.get(act.emoji) ?? []), act.userId]);
      return;
    case 'unreact': {
      const left = (message.reactions.get(act.emoji) ?? []).filter((userId) => userId !== act.userId);
      if (left.length === 0) message.reactions.delete(act.emoji);
      else message.reactions.set(act.emoji, left);
    }
  }
}

/** The part of an entry that acts change, in the form of {@link shownOf}. */
export function expectedOf(message: NaiveMessage): unknown {
  const reactions: Reaction[] = [...message.reactions].map(([emoji, users]) => ({ emoji, count: users.length, users: users.slice(0, 10) }));
  return {
    text: message.text,
    mentions: message.mentions,
    redacted: message.redacted,
    pinned: message.pinned,
    edited: message.edited,
    stateSeq: message.stateSeq,
    reactions,
  };
}

/** What a page shows of a message, comparable with {@link expectedOf}. */
export function shownOf(entry: Entry): unknown {
  return {
    text: entry.body?.text ?? null,
    mentions: entry.mentions ?? [],
    redacted: entry.redacted === true,
    pinned: entry.pinned === true,
    edited: entry.editedAt != null,
    stateSeq: entry.stateSeq ?? undefined,
    reactions: entry.reactions ?? [],
  };
}
