import { SOCKET_PATH } from '@nudge/types';
import { WebSocket } from 'ws';

/** A device reduced to its socket: some kilobytes each, so that thousands fit into a test. It returns as the SDK does. */
class Member {
  readonly #url: () => string;
  readonly #auth: string;
  readonly #crowd: Crowd;
  #socket: WebSocket | undefined;
  #attempt = 0;
  #timer: NodeJS.Timeout | undefined;
  welcomed = false;

  constructor(crowd: Crowd, auth: object, url: (attempt: number) => string) {
    this.#crowd = crowd;
    this.#auth = `40${JSON.stringify(auth)}`;
    this.#url = () => url(this.#attempt);
  }

  connect(): void {
    const socket = new WebSocket(`${this.#url().replace(/^http/, 'ws')}${SOCKET_PATH}/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
    });
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const packet = data.toString();
      if (packet.startsWith('0')) socket.send(this.#auth);
      else if (packet === '2') socket.send('3');
      else if (packet.startsWith('42["welcome"')) this.#welcome();
      else if (packet.startsWith('44')) socket.close();
      else if (packet.startsWith('42["control"')) this.#crowd.controlled(packet);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => this.#lost());
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket?.removeAllListeners('close');
    this.#socket?.terminate();
  }

  #welcome(): void {
    this.welcomed = true;
    this.#attempt = 0;
    this.#crowd.count(1);
  }

  /** Full jitter: anywhere between nothing and a bound that doubles, as the SDK waits. */
  #lost(): void {
    if (this.welcomed) this.#crowd.count(-1);
    this.welcomed = false;
    this.#attempt += 1;
    const boundMs = Math.min(30_000, 500 * 2 ** (this.#attempt - 1));
    this.#timer = setTimeout(() => this.connect(), Math.random() * boundMs);
  }
}

/** Thousands of sockets. */
export class Crowd implements Disposable {
  #welcomed = 0;
  readonly #members: Member[];

  /** `url`: where a member connects at its n-th attempt in a row, from 0. */
  constructor(members: readonly { readonly token: string; readonly deviceId: string }[], url: (attempt: number) => string) {
    this.#members = members.map((auth) => new Member(this, auth, url));
  }

  /** Those that are in. */
  get welcomed(): number {
    return this.#welcomed;
  }

  /** What gateways that drain told, one for each time: the address to move to, undefined where any will do. */
  readonly moves: (string | undefined)[] = [];

  controlled(packet: string): void {
    const [, { type, target }] = JSON.parse(packet.slice(2)) as [string, { readonly type: string; readonly target?: string }];
    if (type === 'reconnect') this.moves.push(target);
  }

  count(change: 1 | -1): void {
    this.#welcomed += change;
  }

  /** Connects them all at an even pace, so many a second. */
  async connect(perSecond: number): Promise<void> {
    const began = performance.now();
    for (const [index, member] of this.#members.entries()) {
      const dueMs = (index * 1_000) / perSecond - (performance.now() - began);
      if (dueMs > 1) await new Promise((resolve) => setTimeout(resolve, dueMs));
      member.connect();
    }
  }

  [Symbol.dispose](): void {
    for (const member of this.#members) member.close();
  }
}
