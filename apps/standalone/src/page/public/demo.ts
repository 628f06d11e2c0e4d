import { type ClientEvents, NudgeClient } from '@nudge/client';

interface Demo {
  readonly conversationId: string;
  readonly users: readonly { readonly id: string; readonly token: string }[];
}

/** Lines kept of what went over the wire. */
const WIRE_LINES = 200;

function part<Kind extends Element>(root: ParentNode, selector: string, kind: new () => Kind): Kind {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector}`);
  return found;
}

/** One person's side: a client of its own and what it shows. */
class Pane {
  readonly #root: HTMLElement;
  readonly #client: NudgeClient;
  readonly #conversationId: string;
  readonly #userId: string;
  #typingUntil: ReturnType<typeof setTimeout> | undefined;
  #online = false;

  constructor(template: HTMLTemplateElement, conversationId: string, user: Demo['users'][number]) {
    const copy = template.content.cloneNode(true) as DocumentFragment;
    this.#root = part(copy, '.pane', HTMLElement);
    this.#conversationId = conversationId;
    this.#userId = user.id;
    this.#client = new NudgeClient({
      url: location.origin,
      token: user.token,
      deviceId: `page-${crypto.randomUUID().slice(0, 8)}`,
      clientName: 'demo page',
    });
    part(this.#root, '.name', HTMLElement).textContent = user.id;
    this.#listen();
    this.#bind();
    this.#show('offline');
  }

  get element(): HTMLElement {
    return this.#root;
  }

  async connect(): Promise<void> {
    this.#online = true;
    this.#show('connecting');
    await this.#client.connect();
    await this.#client.watch([this.#conversationId]);
    this.#client.open(this.#conversationId);
  }

  #listen(): void {
    const client = this.#client;
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
      if (conversationId === this.#conversationId) this.#entry(entry);
    });
    client.on('dropped', ({ log }) => {
      if (log === `c/${this.#conversationId}`) part(this.#root, '.messages', HTMLElement).replaceChildren();
    });
    client.on('typing', ({ userId, active, ttlMs }) => this.#typing(userId, active, ttlMs));
    client.on('error', ({ error }) => this.#wire('error', error.message));
  }

  #pull({ log, after, min, count, code, ms }: ClientEvents['pull']): void {
    const asked = after === null ? 'newest page' : `after=${after}${min > 0 ? ` min=${min}` : ''}`;
    this.#wire('pull', `→ pull ${short(log)} ${asked}  ← ${code ?? `${count} ${count === 1 ? 'entry' : 'entries'}`}, ${Math.round(ms)} ms`);
  }

  #entry({ seq, type, senderId, clientMsgId, body }: ClientEvents['entry']['entry']): void {
    const list = part(this.#root, '.messages', HTMLElement);
    const pending = clientMsgId == null ? null : list.querySelector(`[data-id="${CSS.escape(clientMsgId)}"]`);
    const item = pending ?? document.createElement('li');
    item.classList.remove('pending');
    if (type === 'message') item.classList.toggle('own', senderId === this.#userId);
    else item.classList.add('system');
    const text = type === 'message' ? String(body?.text ?? '') : systemText(type, body);
    const mark = document.createElement('span');
    mark.className = 'seq';
    mark.textContent = String(seq);
    item.replaceChildren(text, mark);
    list.append(item);
    list.scrollTop = list.scrollHeight;
    part(this.#root, '.cursor', HTMLElement).textContent = `(cursor ${seq})`;
    if (senderId !== this.#userId) this.#typing(senderId, false, 0);
  }

  #typing(userId: string, active: boolean, ttlMs: number): void {
    const line = part(this.#root, '.typing', HTMLElement);
    clearTimeout(this.#typingUntil);
    line.textContent = active ? `${userId} is typing …` : '';
    if (!active) return;
    this.#typingUntil = setTimeout(() => {
      line.textContent = '';
    }, ttlMs);
  }

  #bind(): void {
    const input = part(this.#root, '.text', HTMLInputElement);
    input.addEventListener('input', () => this.#client.typing(this.#conversationId, input.value !== ''));
    part(this.#root, '.compose', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === '') return;
      input.value = '';
      this.#send(text);
    });
    part(this.#root, '.toggle', HTMLButtonElement).addEventListener('click', () => {
      if (this.#online) this.#goOffline();
      else this.connect().catch((error: unknown) => this.#wire('error', String(error)));
    });
  }

  /** Shows the message at once, pale; it takes its place in the order when the log has it. */
  #send(text: string): void {
    const clientMsgId = crypto.randomUUID();
    const item = document.createElement('li');
    item.className = 'own pending';
    item.dataset.id = clientMsgId;
    item.textContent = text;
    const list = part(this.#root, '.messages', HTMLElement);
    list.append(item);
    list.scrollTop = list.scrollHeight;
    this.#client.send(this.#conversationId, { text }, { clientMsgId }).then(
      ({ seq }) => this.#wire('send', `→ send  ← seq ${seq}`),
      (error: unknown) => {
        item.remove();
        this.#wire('error', `not sent: ${error instanceof Error ? error.message : 'unknown reason'}`);
      },
    );
  }

  #goOffline(): void {
    this.#online = false;
    this.#client.disconnect();
    this.#show('offline');
    this.#wire('key', 'socket closed: keys are missed from here on');
  }

  #show(state: string): void {
    this.#root.dataset.state = state;
    part(this.#root, '.state', HTMLElement).textContent = state;
    part(this.#root, '.toggle', HTMLButtonElement).textContent = this.#online ? 'Go offline' : 'Come back';
  }

  #wire(kind: string, text: string): void {
    const list = part(this.#root, '.wire', HTMLElement);
    const line = document.createElement('li');
    line.className = kind;
    line.textContent = text;
    list.append(line);
    while (list.childElementCount > WIRE_LINES) list.firstElementChild?.remove();
    list.scrollTop = list.scrollHeight;
  }
}

function short(log: string): string {
  return log.length > 14 ? `${log.slice(0, 2)}${log.slice(2, 6)}…${log.slice(-4)}` : log;
}

function systemText(type: string, body: Record<string, unknown> | null): string {
  if (type === 'conversation.created') return `${String(body?.by)} started the conversation`;
  return `${type} ${String(body?.userId ?? '')}`;
}

const answer = await fetch('/demo/session.json');
if (!answer.ok) throw new Error(`no demo session: ${answer.status}`);
const demo = (await answer.json()) as Demo;
const template = part(document, '#pane', HTMLTemplateElement);
const panes = demo.users.map((user) => new Pane(template, demo.conversationId, user));
part(document, '#panes', HTMLElement).append(...panes.map((pane) => pane.element));
await Promise.all(panes.map((pane) => pane.connect()));
