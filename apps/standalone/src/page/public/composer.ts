import { part } from './dom.ts';
import type { Entry } from './message.ts';

/** What the line under the messages is for: a new message, an answer, or a new version. */
export type Intent = { readonly kind: 'send' } | { readonly kind: 'reply' | 'edit'; readonly entry: Entry };

/** The line one writes on, with what it is an answer to or a new version of above it. */
export class Composer {
  readonly #input: HTMLInputElement;
  readonly #note: HTMLElement;
  readonly #noteText: HTMLElement;
  #intent: Intent = { kind: 'send' };

  constructor(root: ParentNode, hears: { submit(text: string, intent: Intent): void; typing(active: boolean): void }) {
    this.#input = part(root, '.text', HTMLInputElement);
    this.#note = part(root, '.intent', HTMLElement);
    this.#noteText = part(root, '.intent-text', HTMLElement);
    this.#input.addEventListener('input', () => hears.typing(this.#input.value !== ''));
    part(root, '.intent-cancel', HTMLButtonElement).addEventListener('click', () => this.#cancel());
    part(root, '.compose', HTMLFormElement).addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#intent.kind !== 'send') this.#cancel();
    });
    part(root, '.compose', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text === '') return;
      const intent = this.#intent;
      this.#show({ kind: 'send' }, '');
      // A send says by itself that its author stopped typing.
      if (intent.kind === 'edit') hears.typing(false);
      hears.submit(text, intent);
    });
  }

  reply(entry: Entry): void {
    this.#show({ kind: 'reply', entry }, this.#input.value);
    this.#input.focus();
  }

  edit(entry: Entry): void {
    this.#show({ kind: 'edit', entry }, String(entry.body?.text ?? ''));
    this.#input.focus();
    this.#input.select();
  }

  #cancel(): void {
    this.#show({ kind: 'send' }, '');
    this.#input.focus();
  }

  #show(intent: Intent, text: string): void {
    this.#intent = intent;
    this.#input.value = text;
    this.#note.hidden = intent.kind === 'send';
    if (intent.kind === 'send') return;
    const what = String(intent.entry.body?.text ?? '');
    this.#noteText.textContent = intent.kind === 'edit' ? `Editing: ${what}` : `Answering ${intent.entry.senderId ?? ''}: ${what}`;
  }
}
