import { initialLog, type LogEffect, type LogState, stepLog } from '@nudge/client';
import { LeanHttp } from '../lean/http.ts';
import { LeanWebSocket } from '../lean/websocket.ts';
import type { Connect, Delivery, Participant, Place } from './participant.ts';

interface WireEntry {
  readonly seq: number;
  readonly type: string;
  readonly clientMsgId?: string;
  readonly body: { readonly text?: string } | null;
}

interface Page {
  readonly entries: readonly WireEntry[];
  readonly head: number;
  readonly oldestSeq: number;
  readonly more: boolean;
}

interface Log {
  readonly groupIndex: number;
  readonly conversationId: string;
  state: LogState;
}

/** How long a pull that failed retryably waits, ms. */
const RETRY_MS = 100;

/** A Nudge device with lean transports: the gap rule is the client package's, only sockets and HTTP are its own. */
export class Device implements Participant {
  readonly errors: string[] = [];
  readonly #place: Place;
  readonly #http: LeanHttp;
  readonly #logs = new Map<string, Log>();
  readonly #delivered: (delivery: Delivery) => void;
  #socket: LeanWebSocket | undefined;
  #closing = false;
  /** Frames and pulls, for the report. */
  notifies = 0;
  pulls = 0;

  private constructor(place: Place, delivered: (delivery: Delivery) => void) {
    this.#place = place;
    this.#delivered = delivered;
    this.#http = new LeanHttp(place.port, place.token, place.from);
  }

  /** Connects, waits for `welcome`, then starts each log from its present end. */
  static readonly connect: Connect = async (place, delivered) => {
    const device = new Device(place, delivered);
    await device.#open();
    await Promise.all(place.groups.map((group) => device.#start(group.index, group.conversationId)));
    return device;
  };

  async #open(): Promise<void> {
    const welcome = Promise.withResolvers<void>();
    // A connection that never came about rejects this too, with nobody waiting for it yet.
    welcome.promise.catch(() => undefined);
    const path = '/socket.io/?EIO=4&transport=websocket';
    const events = {
      text: (text: string) => {
        this.#frame(text, welcome);
      },
      closed: (reason: string) => {
        welcome.reject(new Error(reason));
        if (!this.#closing) this.errors.push(`socket ${reason}`);
      },
    };
    this.#socket = await LeanWebSocket.connect(this.#place.port, path, events, this.#place.from);
    await welcome.promise;
  }

  #frame(text: string, welcome: PromiseWithResolvers<void>): void {
    if (text === '2') this.#socket?.send('3');
    else if (text[0] === '0') this.#socket?.send(`40${JSON.stringify({ token: this.#place.token, deviceId: 'bench' })}`);
    else if (text.startsWith('42["notify"'))
      this.#notify(JSON.parse(text.slice(2)) as ['notify', { keys: [string, number][]; resync?: true }]);
    else if (text.startsWith('42["welcome"')) welcome.resolve();
    else if (text.startsWith('44')) welcome.reject(new Error(text.slice(2, 200)));
    else if (text.startsWith('42["control"')) this.errors.push(text.slice(2, 200));
  }

  #notify([, { keys, resync }]: ['notify', { keys: [string, number][]; resync?: true }]): void {
    this.notifies += 1;
    for (const [name, seq] of keys) {
      const log = this.#logs.get(name);
      if (log !== undefined) this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'key', seq }));
    }
    if (resync === true) for (const log of this.#logs.values()) this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'sync' }));
  }

  async #start(groupIndex: number, conversationId: string): Promise<void> {
    const answer = await this.#http.request('GET', `/v1/sync/conversations/${conversationId}/entries?limit=1`);
    if (answer.status !== 200) throw new Error(`start ${answer.status} ${answer.text.slice(0, 200)}`);
    const { head } = JSON.parse(answer.text) as Page;
    this.#logs.set(`c/${conversationId}`, { groupIndex, conversationId, state: initialLog('entries', head) });
  }

  #carryOut(log: Log, step: { readonly state: LogState; readonly effects: readonly LogEffect<WireEntry>[] }): void {
    log.state = step.state;
    for (const effect of step.effects) {
      if (effect.type === 'pull') void this.#pull(log, effect.ticket, effect.after, effect.min);
      else if (effect.type === 'apply') this.#apply(log, effect.items);
      else if (effect.type === 'wait')
        setTimeout(() => this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'retry', ticket: effect.ticket })), RETRY_MS);
      else this.errors.push(`${log.conversationId}: ${JSON.stringify(effect)}`);
    }
  }

  async #pull(log: Log, ticket: number, after: number | null, min: number): Promise<void> {
    this.pulls += 1;
    const bounds = `${after === null ? '' : `after=${after}&`}${min > 0 ? `min=${min}&` : ''}limit=200`;
    try {
      const answer = await this.#http.request('GET', `/v1/sync/conversations/${log.conversationId}/entries?${bounds}`);
      if (answer.status !== 200) throw new Error(`pull ${answer.status} ${answer.text.slice(0, 200)}`);
      const { entries: items, head, oldestSeq, more } = JSON.parse(answer.text) as Page;
      this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'page', ticket, items, head, oldestSeq, more, crowded: false }));
    } catch (error) {
      if (this.#closing) return;
      this.errors.push(String(error));
      this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'failed', ticket, retryable: true }));
    }
  }

  #apply(log: Log, items: readonly WireEntry[]): void {
    for (const { seq, type, clientMsgId, body } of items) {
      if (type === 'message') this.#delivered({ groupIndex: log.groupIndex, id: clientMsgId ?? '', text: body?.text ?? '', seq });
    }
  }

  async send(groupIndex: number, id: string, text: string): Promise<void> {
    const group = this.#place.groups.find(({ index }) => index === groupIndex);
    const log = group === undefined ? undefined : this.#logs.get(`c/${group.conversationId}`);
    if (log === undefined) throw new Error(`not in group ${groupIndex}`);
    const { life } = log.state;
    const body = JSON.stringify({ clientMsgId: id, body: { text } });
    const answer = await this.#http.request('POST', `/v1/conversations/${log.conversationId}/messages`, body);
    if (answer.status !== 201) throw new Error(`send ${answer.status} ${answer.text.slice(0, 200)}`);
    const { seq, asSent } = JSON.parse(answer.text) as { seq: number; asSent: boolean };
    const item: WireEntry = { seq, type: 'message', clientMsgId: id, body: { text } };
    this.#carryOut(log, stepLog<WireEntry>(log.state, { type: 'sent', seq, asSent, item, life }));
  }

  close(): void {
    this.#closing = true;
    this.#socket?.destroy();
    this.#http.destroy();
  }
}
