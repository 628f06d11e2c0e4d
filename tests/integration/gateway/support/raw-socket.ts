import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { waitFor } from '../../../support/wait-for.ts';

/** A WebSocket that sends what it is told to and writes down every frame. It answers no ping. */
export class RawSocket {
  readonly frames: string[] = [];
  readonly #socket: WebSocket;
  closeCode: number | undefined = undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.frames.push(data.toString()));
    socket.on('close', (code: number) => {
      this.closeCode = code;
    });
    socket.on('error', () => {
      this.closeCode ??= 1006;
    });
  }

  static async open(port: number, query = ''): Promise<RawSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket${query}`);
    const raw = new RawSocket(socket);
    await once(socket, 'open');
    return raw;
  }

  /** The handshake with a token; resolves with the welcome. */
  async handshake(token: string, deviceId = 'raw'): Promise<void> {
    this.send(`40${JSON.stringify({ token, deviceId })}`);
    await this.frame('42["welcome"');
  }

  send(frame: string | Buffer): void {
    this.#socket.send(frame);
  }

  ping(): void {
    this.#socket.ping();
  }

  get isClosed(): boolean {
    return this.closeCode !== undefined;
  }

  /** The TCP socket below. */
  get tcp(): Socket {
    return (this.#socket as unknown as { _socket: Socket })._socket;
  }

  frame(prefix: string): Promise<string> {
    const found = () => this.frames.find((frame) => frame.startsWith(prefix));
    return waitFor(`a frame ${prefix}`, found).catch((error: unknown) => {
      throw new Error(`no frame ${prefix}; the last was ${this.frames.at(-1)?.slice(0, 200)}`, { cause: error });
    });
  }

  /** Resolves once closed, with the code and reason the server named before: of its `control`, or of its CONNECT_ERROR. */
  async closed(): Promise<string | undefined> {
    await waitFor('the close', () => this.isClosed);
    const last = this.frames.findLast((frame) => frame.startsWith('42["control"') || frame.startsWith('44'));
    if (last === undefined) return undefined;
    if (last.startsWith('44')) return (JSON.parse(last.slice(2)) as { data: { code: string } }).data.code;
    return (JSON.parse(last.slice(2)) as [string, { reason: string }])[1].reason;
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
