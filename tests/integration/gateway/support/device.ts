import type {
  Ack,
  AckedEventName,
  ClientPayload,
  Control,
  CustomEvent,
  HandshakeAuth,
  HandshakeRefusal,
  Notify,
  Presence,
  Receipt,
  Typing,
  Welcome,
} from '@nudge/types';
import { io, type Socket } from 'socket.io-client';
import { waitFor } from '../../../support/wait-for.ts';

export interface DeviceOptions extends HandshakeAuth {
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
}

/** How a handshake was refused. */
export class Refused extends Error {
  readonly data: HandshakeRefusal | undefined;

  constructor(error: Error & { data?: HandshakeRefusal }) {
    super(error.message);
    this.data = error.data;
  }
}

/** A plain socket.io-client that writes down all it hears. It never reconnects by itself. */
export class Device {
  readonly notifies: Notify[] = [];
  readonly controls: Control[] = [];
  readonly typings: Typing[] = [];
  readonly presences: Presence[] = [];
  readonly events: CustomEvent[] = [];
  readonly receipts: Receipt[] = [];
  readonly welcomed: Promise<Welcome>;
  readonly socket: Socket;
  closedBecause: string | undefined = undefined;
  welcome: Welcome | undefined = undefined;
  /** When the engine closed, ms. */
  closedAt: number | undefined = undefined;

  constructor(port: number, { query, headers, ...auth }: DeviceOptions) {
    this.socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      auth,
      ...(query === undefined ? {} : { query }),
      ...(headers === undefined ? {} : { extraHeaders: headers }),
    });
    const { socket } = this;
    socket.on('notify', (notify: Notify) => this.notifies.push(notify));
    socket.on('control', (control: Control) => this.controls.push(control));
    socket.on('typing', (typing: Typing) => this.typings.push(typing));
    socket.on('presence', (presence: Presence) => this.presences.push(presence));
    socket.on('event', (event: CustomEvent) => this.events.push(event));
    socket.on('receipt', (receipt: Receipt) => this.receipts.push(receipt));
    socket.on('disconnect', (reason) => {
      this.closedBecause = reason;
    });
    socket.io.on('close', () => {
      this.closedAt = performance.now();
    });
    this.welcomed = new Promise<Welcome>((resolve, reject) => {
      socket.once('welcome', (welcome: Welcome) => {
        this.welcome = welcome;
        resolve(welcome);
      });
      socket.once('connect_error', (error: Error & { data?: HandshakeRefusal }) => reject(new Refused(error)));
    });
    this.welcomed.catch(() => undefined);
  }

  call<Name extends AckedEventName>(event: Name, payload: ClientPayload<Name>): Promise<Ack<Name>> {
    return this.socket.timeout(5_000).emitWithAck(event, payload) as Promise<Ack<Name>>;
  }

  typing(conversationId: string, active: boolean): void {
    this.socket.emit('typing', { conversationId, active });
  }

  event(conversationId: string, name: string, payload: Record<string, unknown> = {}): void {
    this.socket.emit('event', { conversationId, name, payload });
  }

  /** Newest seq heard of a log. */
  heard(log: string): number {
    let newest = 0;
    for (const { keys } of this.notifies) for (const [name, seq] of keys) if (name === log && seq > newest) newest = seq;
    return newest;
  }

  get resyncs(): number {
    return this.notifies.filter((notify) => notify.resync === true).length;
  }

  /** Waits until everything sent to this device before is written down: an answer comes after it on the same connection. */
  async settled(): Promise<void> {
    await this.call('unwatch', { conversationIds: ['00000000-0000-4000-8000-000000000000'] });
  }

  async disconnected(): Promise<Control | undefined> {
    await waitFor('the disconnect', () => this.closedAt !== undefined);
    return this.controls.findLast((control) => control.type === 'disconnect');
  }

  /** Cuts the TCP connection without a word. */
  cut(): void {
    (this.socket.io.engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate();
  }

  close(): void {
    this.socket.disconnect();
  }
}
