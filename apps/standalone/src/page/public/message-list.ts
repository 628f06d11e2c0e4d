import type { ConversationView } from '@nudge/client';
import { element, part } from './dom.ts';
import { type Entry, isShown, type MessageActions, messageItem, type Progress } from './message.ts';

/** Nearer to the end than this, the list stays at its end when something comes, px. */
const AT_END = 40;

/** The lines of a conversation, in the order of their seqs, and above them what is pinned. */
export class MessageList {
  readonly #list: HTMLElement;
  readonly #pins: HTMLElement;
  readonly #viewer: string;
  readonly #actions: MessageActions;
  /** What each line was made from, so that only what changed is made anew. */
  readonly #shown = new Map<number, string>();

  constructor(root: ParentNode, viewer: string, actions: MessageActions) {
    this.#list = part(root, '.messages', HTMLElement);
    this.#pins = part(root, '.pins', HTMLElement);
    this.#viewer = viewer;
    this.#actions = actions;
  }

  /** Shows a message at once, pale; it takes its place in the order when the log has it. */
  pending(clientMsgId: string, text: string): HTMLElement {
    const item = element('li', 'own pending', element('span', 'text', text));
    item.dataset.id = clientMsgId;
    this.#list.append(item);
    this.#list.scrollTop = this.#list.scrollHeight;
    return item;
  }

  show(seq: number): void {
    const line = this.#list.querySelector(`[data-seq="${seq}"]`);
    line?.scrollIntoView({ block: 'center' });
    line?.animate([{ outline: '2px solid #b45309' }, { outline: '2px solid transparent' }], 1_200);
  }

  clear(): void {
    this.#list.replaceChildren();
    this.#shown.clear();
  }

  render(view: ConversationView, progress: Progress | undefined): void {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < AT_END;
    const entries = view.entries.filter(isShown);
    const kept = new Set(entries.map(({ seq }) => seq));
    for (const seq of [...this.#shown.keys()]) if (!kept.has(seq)) this.#forget(seq);
    for (const entry of entries) this.#line(entry, view.mine[entry.seq] ?? [], progress);
    for (const pending of this.#list.querySelectorAll('.pending')) this.#list.append(pending);
    this.#showPins(entries.filter(({ pinned }) => pinned === true));
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** Makes the line of an entry anew, unless it shows just that already. */
  #line(entry: Entry, mine: readonly string[], progress: Progress | undefined): void {
    const { seq, senderId, clientMsgId } = entry;
    const own = senderId === this.#viewer;
    const reached = own && progress !== undefined ? [progress.readSeq >= seq, progress.deliveredSeq >= seq] : [];
    const state = JSON.stringify([entry, mine, reached]);
    if (this.#shown.get(seq) === state) return;
    this.#shown.set(seq, state);
    if (clientMsgId != null) this.#list.querySelector(`[data-id="${CSS.escape(clientMsgId)}"]`)?.remove();
    const item = messageItem(entry, this.#viewer, mine, progress, this.#actions);
    const before = this.#list.querySelector(`[data-seq="${seq}"]`);
    if (before === null) {
      const lines = [...this.#list.querySelectorAll<HTMLElement>('[data-seq]')];
      this.#list.insertBefore(item, lines.find((line) => Number(line.dataset.seq) > seq) ?? null);
      return;
    }
    const { activeElement } = document;
    const held = before.contains(activeElement) ? activeElement : null;
    before.replaceWith(item);
    if (held === null) return;
    // Whoever works with the keyboard stays where they were: what a button is called changes with what it did.
    const row = [...item.querySelectorAll('button')].filter((each) => each.parentElement?.className === held.parentElement?.className);
    (row.find(({ textContent }) => textContent === held.textContent) ?? row[0] ?? item.querySelector('button'))?.focus();
  }

  #forget(seq: number): void {
    this.#shown.delete(seq);
    this.#list.querySelector(`[data-seq="${seq}"]`)?.remove();
  }

  #showPins(pinned: readonly Entry[]): void {
    this.#pins.hidden = pinned.length === 0;
    this.#pins.replaceChildren(
      ...pinned.map(({ seq, body }) => {
        const link = element('button', '', `📌 ${String(body?.text ?? '')}`);
        link.type = 'button';
        link.addEventListener('click', () => this.show(seq));
        return link;
      }),
    );
  }
}
