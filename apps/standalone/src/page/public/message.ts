import type { ConversationView } from '@nudge/client';
import { button, element } from './dom.ts';

export type Entry = ConversationView['entries'][number];

/** What can be done to a message from its own line. */
export interface MessageActions {
  reply(entry: Entry): void;
  edit(entry: Entry): void;
  redact(entry: Entry): void;
  pin(entry: Entry): void;
  react(entry: Entry, emoji: string): void;
  show(seq: number): void;
}

/** How far the other side has come with what the viewer wrote. */
export interface Progress {
  readonly userId: string;
  readonly readSeq: number;
  readonly deliveredSeq: number;
}

const QUICK = ['👍', '❤️', '😂', '🎉'];

/** Whether an entry has a line of its own; what acts on another one shows there. */
export function isShown({ type, target }: Entry): boolean {
  return target == null && type !== 'conversation.updated';
}

/** The line of an entry as it now stands. */
export function messageItem(
  entry: Entry,
  viewer: string,
  mine: readonly string[],
  progress: Progress | undefined,
  actions: MessageActions,
): HTMLLIElement {
  const item = element('li', '');
  item.dataset.seq = String(entry.seq);
  if (entry.type !== 'message') {
    item.className = 'system';
    item.append(systemText(entry));
    return item;
  }
  const own = entry.senderId === viewer;
  item.classList.toggle('own', own);
  if (entry.redacted === true) {
    item.classList.add('gone');
    item.append(element('span', 'text', entry.expiresAt == null ? 'message removed' : 'message expired'), meta(entry, own, progress));
    return item;
  }
  const { replyTo } = entry;
  if (replyTo != null) {
    const text = replyTo.redacted === true ? 'message removed' : (replyTo.excerpt ?? 'an earlier message');
    const quote = button('', `Show the message answered: ${text}`, () => actions.show(replyTo.seq));
    quote.className = 'quote';
    quote.append(element('b', '', replyTo.senderId ?? ''), ` ${text}`);
    item.append(quote);
  }
  item.append(element('span', 'text', String(entry.body?.text ?? '')), meta(entry, own, progress));
  if (entry.reactions != null) item.append(reactions(entry, mine, actions));
  item.append(tools(entry, own, mine, actions));
  return item;
}

function meta(entry: Entry, own: boolean, progress: Progress | undefined): HTMLElement {
  const marks = element('span', 'meta');
  if (entry.pinned === true) marks.append('📌 ');
  if (entry.editedAt != null) marks.append('edited ');
  marks.append(String(entry.seq));
  if (!own || entry.redacted === true) return marks;
  const { userId = '', readSeq = 0, deliveredSeq = 0 } = progress ?? {};
  const state = readSeq >= entry.seq ? 'read' : deliveredSeq >= entry.seq ? 'delivered' : 'sent';
  const ticks = element('span', `ticks ${state}`, state === 'sent' ? ' ✓' : ' ✓✓');
  ticks.title = state === 'sent' ? 'sent' : `${state === 'read' ? 'read by' : 'delivered to'} ${userId}`;
  ticks.ariaLabel = ticks.title;
  ticks.role = 'img';
  marks.append(ticks);
  return marks;
}

function reactions(entry: Entry, mine: readonly string[], actions: MessageActions): HTMLElement {
  const row = element('span', 'reactions');
  for (const { emoji, count, users } of entry.reactions ?? []) {
    const chip = button(`${emoji} ${count}`, `${emoji} by ${users.join(', ')}`, () => actions.react(entry, emoji));
    chip.ariaPressed = String(mine.includes(emoji));
    row.append(chip);
  }
  return row;
}

function tools(entry: Entry, own: boolean, mine: readonly string[], actions: MessageActions): HTMLElement {
  const bar = element('span', 'tools');
  for (const emoji of QUICK) {
    bar.append(button(emoji, `${mine.includes(emoji) ? 'Take back' : 'React with'} ${emoji}`, () => actions.react(entry, emoji)));
  }
  bar.append(button('↩', 'Reply', () => actions.reply(entry)));
  bar.append(button('📌', entry.pinned === true ? 'Unpin' : 'Pin', () => actions.pin(entry)));
  if (own)
    bar.append(
      button('✎', 'Edit', () => actions.edit(entry)),
      button('🗑', 'Remove for everyone', () => actions.redact(entry)),
    );
  return bar;
}

function systemText({ type, body }: Entry): string {
  if (type === 'conversation.created') return `${String(body?.by)} started the conversation`;
  return `${type} ${String(body?.userId ?? '')}`;
}
