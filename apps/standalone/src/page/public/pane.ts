import { type ClientEvents, type ConversationView, NudgeClient } from '@nudge/client';
import { Composer, type Intent } from './composer.ts';
import { element, part } from './dom.ts';
import type { Entry, MessageActions, Progress } from './message.ts';
import { MessageList } from './message-list.ts';

export interface DemoUser {
  readonly id: string;
  readonly token: string;
}

/** Lines kept of what went over the wire. */
const WIRE_LINES = 200;
/** How long a passing remark stays, ms. */
const REMARK_MS = 4_000;

/** One device of one person: a client of its own and what it shows. */
export class Pane implements MessageActions {
  readonly element: HTMLElement;
  readonly #client: NudgeClient;
  readonly #conversationId: string;
  readonly #userId: string;
  readonly #messages: MessageList;
  readonly #composer: Composer;
  readonly #progress = new Map<string, Progress>();
  #typingUntil: ReturnType<typeof setTimeout> | undefined;
  #remarkUntil: ReturnType<typeof setTimeout> | undefined;
  /** Up to where this device has said that it was read. */
  #marked = 0;
  #online = false;

  constructor(template: HTMLTemplateElement, conversationId: string, user: DemoUser) {
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.element = part(copy, '.pane', HTMLElement);
    this.#messages = new MessageList(this.element, user.id, this);
    this.#conversationId = conversationId;
    this.#userId = user.id;
    const deviceId = `page-${crypto.randomUUID().slice(0, 8)}`;
    this.#client = new NudgeClient({ url: location.origin, token: user.token, deviceId, clientName: 'demo page' });
    this.#composer = new Composer(this.element, {
      submit: (text, intent) => this.#submit(text, intent),
      typing: (active) => this.#client.typing(conversationId, active),
    });
    part(this.element, '.name', HTMLElement).textContent = user.id;
    this.#listen();
    this.#bind();
    this.#show('offline');
  }

  async connect(): Promise<void> {
    this.#online = true;
    this.#show('connecting');
    await this.#client.connect();
    await this.#client.watch([this.#conversationId]);
    this.#client.open(this.#conversationId);
    const { items } = await this.#client.receipts(this.#conversationId);
    for (const receipt of items) this.#receipt(receipt);
  }

  reply(entry: Entry): void {
    this.#composer.reply(entry);
  }

  edit(entry: Entry): void {
    this.#composer.edit(entry);
  }

  redact(entry: Entry): void {
    this.#do('redact', this.#client.redact(this.#conversationId, entry.seq));
  }

  pin(entry: Entry): void {
    const { seq, pinned } = entry;
    if (pinned === true) this.#do('unpin', this.#client.unpin(this.#conversationId, seq));
    else this.#do('pin', this.#client.pin(this.#conversationId, seq));
  }

  react(entry: Entry, emoji: string): void {
    const mine = this.#client.view(this.#conversationId)?.mine[entry.seq] ?? [];
    if (mine.includes(emoji)) this.#do(`take back ${emoji}`, this.#client.unreact(this.#conversationId, entry.seq, emoji));
    else this.#do(`react ${emoji}`, this.#client.react(this.#conversationId, entry.seq, emoji));
  }

  show(seq: number): void {
    this.#messages.show(seq);
  }

  #listen(): void {
    const client = this.#client;
    const ours = (conversationId: string) => conversationId === this.#conversationId;
    client.on('connected', ({ resumed }) => {
      this.#wire('key', resumed ? 'socket up, session resumed' : 'socket up, new session');
      this.#show('online');
    });
    client.on('disconnected', ({ retryInMs }) => this.#show(`reconnecting in ${Math.ceil(retryInMs / 1000)} s`));
    client.on('stopped', ({ error }) => {
      this.#show('stopped');
      this.#wire('error', `stopped: ${error.code}; reload this page for fresh tokens`);
    });
    client.on('key', ({ log, seq }) => this.#wire('key', `← key ${short(log)} has reached ${seq}`));
    client.on('pull', (report) => this.#pull(report));
    client.on('entry', ({ conversationId, entry }) => {
      if (!ours(conversationId)) return;
      if (entry.target != null) this.#wire('pull', `  ${entry.seq}: ${entry.type} on ${entry.target}`);
      if (entry.senderId !== this.#userId) this.#typing(entry.senderId ?? '', false, 0);
    });
    client.on('view', ({ conversationId, view }) => {
      if (ours(conversationId)) this.#render(view);
    });
    client.on('dropped', ({ log }) => {
      if (log === `c/${this.#conversationId}`) this.#messages.clear();
    });
    client.on('unread', ({ conversationId, unread, readSeq }) => {
      if (ours(conversationId)) this.#unread(unread, readSeq);
    });
    client.on('receipt', (receipt) => {
      if (ours(receipt.conversationId)) this.#receipt(receipt);
    });
    client.on('typing', ({ userId, active, ttlMs }) => this.#typing(userId, active, ttlMs));
    client.on('error', ({ error }) => this.#wire('error', error.message));
  }

  #bind(): void {
    part(this.element, '.toggle', HTMLButtonElement).addEventListener('click', () => {
      if (this.#online) this.#goOffline();
      else this.connect().catch((error: unknown) => this.#wire('error', String(error)));
    });
    this.element.addEventListener('focusin', () => this.#read());
    this.element.addEventListener('pointerdown', () => this.#read());
  }

  /** Whether this pane is the one that is being used. */
  #looking(): boolean {
    return document.hasFocus() && this.element.contains(document.activeElement);
  }

  /** Looking at a pane is reading what it shows. */
  #read(): void {
    const cursor = this.#client.cursor(this.#conversationId);
    if (cursor === null || (this.#client.unread(this.#conversationId)?.unread ?? 1) === 0) return;
    this.#marked = cursor;
    this.#client
      .markRead(this.#conversationId, cursor)
      .catch((error: unknown) => this.#wire('error', error instanceof Error ? error.message : 'not marked as read'));
  }

  #submit(text: string, intent: Intent): void {
    const id = this.#conversationId;
    if (intent.kind === 'edit') {
      this.#do('edit', this.#client.edit(id, intent.entry.seq, { ...intent.entry.body, text }));
      return;
    }
    const clientMsgId = crypto.randomUUID();
    const pending = this.#messages.pending(clientMsgId, text);
    const options = intent.kind === 'reply' ? { clientMsgId, replyTo: intent.entry.seq } : { clientMsgId };
    this.#client.send(id, { text }, options).then(
      ({ seq }) => this.#wire('send', `→ send  ← seq ${seq}`),
      (error: unknown) => {
        pending.remove();
        this.#wire('error', `not sent: ${error instanceof Error ? error.message : 'unknown reason'}`);
      },
    );
  }

  #do(what: string, answer: Promise<{ readonly seq: number | null }>): void {
    answer.then(
      ({ seq }) => this.#wire('send', `→ ${what}  ← ${seq === null ? 'no change' : `seq ${seq}`}`),
      (error: unknown) => this.#wire('error', `${what}: ${error instanceof Error ? error.message : 'failed'}`),
    );
  }

  #render(view: ConversationView): void {
    const [progress] = this.#progress.values();
    this.#messages.render(view, progress);
    part(this.element, '.cursor', HTMLElement).textContent = `(cursor ${view.cursor})`;
    if (this.#looking()) this.#read();
  }

  #receipt(receipt: Omit<ClientEvents['receipt'], 'conversationId'>): void {
    const { userId } = receipt;
    if (userId === this.#userId) return;
    const known = this.#progress.get(userId);
    const readSeq = Math.max(known?.readSeq ?? 0, receipt.readSeq ?? 0);
    const deliveredSeq = Math.max(known?.deliveredSeq ?? 0, receipt.deliveredSeq ?? 0, readSeq);
    this.#progress.set(userId, { userId, readSeq, deliveredSeq });
    const view = this.#client.view(this.#conversationId);
    if (view !== undefined) this.#render(view);
  }

  #unread(count: number, readSeq: number): void {
    const badge = part(this.element, '.badge', HTMLElement);
    if (count === 0 && !badge.hidden && readSeq > this.#marked) this.#remark('read elsewhere');
    badge.hidden = count === 0;
    badge.textContent = `${count} unread`;
  }

  #remark(text: string): void {
    const line = part(this.element, '.remark', HTMLElement);
    clearTimeout(this.#remarkUntil);
    line.textContent = text;
    this.#remarkUntil = setTimeout(() => {
      line.textContent = '';
    }, REMARK_MS);
  }

  #typing(userId: string, active: boolean, ttlMs: number): void {
    if (userId === this.#userId) return;
    const line = part(this.element, '.typing', HTMLElement);
    clearTimeout(this.#typingUntil);
    line.textContent = active ? `${userId} is typing …` : '';
    if (!active) return;
    this.#typingUntil = setTimeout(() => {
      line.textContent = '';
    }, ttlMs);
  }

  #pull({ log, after, min, count, code, ms }: ClientEvents['pull']): void {
    const asked = after === null ? 'newest page' : `after=${after}${min > 0 ? ` min=${min}` : ''}`;
    this.#wire('pull', `→ pull ${short(log)} ${asked}  ← ${code ?? `${count} ${count === 1 ? 'entry' : 'entries'}`}, ${Math.round(ms)} ms`);
  }

  #goOffline(): void {
    this.#online = false;
    this.#client.disconnect();
    this.#show('offline');
    this.#wire('key', 'socket closed: keys are missed from here on');
  }

  #show(state: string): void {
    this.element.dataset.state = state;
    part(this.element, '.state', HTMLElement).textContent = state;
    part(this.element, '.toggle', HTMLButtonElement).textContent = this.#online ? 'Go offline' : 'Come back';
  }

  #wire(kind: string, text: string): void {
    const list = part(this.element, '.wire', HTMLElement);
    list.append(element('li', kind, text));
    while (list.childElementCount > WIRE_LINES) list.firstElementChild?.remove();
    list.scrollTop = list.scrollHeight;
  }
}

function short(log: string): string {
  return log.length > 14 ? `${log.slice(0, 2)}${log.slice(2, 6)}…${log.slice(-4)}` : log;
}
