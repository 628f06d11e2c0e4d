import type { Entry, Reaction, ReplyTo } from '@nudge/types';
import { excerptOf } from './excerpt.ts';

/** Whether an entry changes the one its `target` names, in a way this version knows. One whose target the viewer may not see does not. */
export function isActing(entry: Entry): boolean {
  return typeof entry.target === 'number' && entry.senderId != null && folds[entry.type] !== undefined;
}

/**
 * The target as it stands after an acting entry. The very same object when the entry acts on another one, or is folded in already
 * (`stateSeq`), which is why a change counts once however often and in whatever state its target arrives.
 */
export function foldEntry(target: Entry, acting: Entry): Entry {
  if (acting.target !== target.seq || acting.seq <= (target.stateSeq ?? 0) || !isActing(acting)) return target;
  const fold = target.redacted === true ? undefined : folds[acting.type];
  return { ...(fold === undefined ? target : fold(target, acting)), stateSeq: acting.seq };
}

const folds: Readonly<Record<string, ((target: Entry, acting: Entry) => Entry) | undefined>> = {
  // An edit without a body was overtaken by a later one, by a redaction or by the expiry.
  'message.edited': (target, { body, mentions, createdAt }) => {
    if (body == null) return target;
    const edited: Entry = { ...target, body, editedAt: createdAt };
    if (mentions == null) delete edited.mentions;
    else edited.mentions = mentions;
    return edited;
  },
  'message.redacted': (target) => tombstone(target),
  'reaction.added': withReaction,
  'reaction.removed': withReaction,
  'message.pinned': (target) => ({ ...target, pinned: true }),
  'message.unpinned': ({ pinned: _pinned, ...target }) => target as Entry,
};

/** The body of a reaction is that emoji's state after it, absolute: users beyond the ten it names need not be known. */
function withReaction(target: Entry, { body }: Entry): Entry {
  if (typeof body?.emoji !== 'string' || typeof body.count !== 'number' || !Array.isArray(body.users)) return target;
  const reaction: Reaction = { emoji: body.emoji, count: body.count, users: body.users };
  const before = target.reactions ?? [];
  const known = before.some(({ emoji }) => emoji === reaction.emoji);
  const all = known ? before.map((each) => (each.emoji === reaction.emoji ? reaction : each)) : [...before, reaction];
  const reactions = all.filter(({ count }) => count > 0);
  const folded: Entry = { ...target, reactions };
  if (reactions.length === 0) delete folded.reactions;
  return folded;
}

/** What remains of an entry after its redaction or expiry: its place in the log. */
export function tombstone({ seq, type, target, senderId, createdAt, countable, clientMsgId, expiresAt, stateSeq }: Entry): Entry {
  return {
    seq,
    type,
    ...(target == null ? {} : { target }),
    senderId,
    createdAt,
    ...(countable == null ? {} : { countable }),
    ...(clientMsgId == null ? {} : { clientMsgId }),
    ...(expiresAt == null ? {} : { expiresAt }),
    redacted: true,
    ...(stateSeq == null ? {} : { stateSeq }),
    body: null,
  };
}

/** Whether the time has come for an entry or a quotation that expires. `now` in ms. */
export function isOver(item: Pick<Entry, 'expiresAt' | 'redacted'>, now: number): boolean {
  return item.redacted !== true && item.expiresAt != null && Date.parse(item.expiresAt) <= now;
}

/** A quotation whose original is gone. */
export function redactedQuote(replyTo: ReplyTo): ReplyTo {
  return { ...replyTo, excerpt: '', redacted: true };
}

/** A reply after its original became what it now is. A quotation of something hidden, or redacted once, stays so. */
export function withQuote(reply: Entry, original: Pick<Entry, 'body' | 'redacted'>): Entry {
  const { replyTo } = reply;
  if (replyTo == null || replyTo.senderId == null || replyTo.redacted === true) return reply;
  if (original.redacted === true) return { ...reply, replyTo: redactedQuote(replyTo) };
  const excerpt = excerptOf(original.body);
  return excerpt === replyTo.excerpt ? reply : { ...reply, replyTo: { ...replyTo, excerpt } };
}

/** An edit entry once a later edit or a redaction of the same message makes its content history. */
export function superseded({ mentions: _mentions, ...edit }: Entry): Entry {
  return { ...(edit as Entry), body: null };
}

/** What the viewer gets of an entry after the visible history has moved on to `oldestSeq`. */
export function masked(entry: Entry, oldestSeq: number): Entry {
  const { seq, type, target, replyTo } = entry;
  if (typeof target === 'number' && target < oldestSeq) return entry.senderId == null ? entry : { seq, type, target };
  if (replyTo == null || replyTo.seq >= oldestSeq || replyTo.senderId == null) return entry;
  return { ...entry, replyTo: { seq: replyTo.seq } };
}
