import { connect, type Socket } from 'node:net';

/** What a lean socket reports. `text` is one whole text message. */
export interface WebSocketEvents {
  text(text: string): void;
  closed(reason: string): void;
}

/**
 * The least WebSocket client that measures a server and not itself: text frames, no extensions, zero mask, frames cut out of the byte
 * stream. For load generation only (RFC 6455 requires an unpredictable mask of real clients).
 */
export class LeanWebSocket {
  readonly #socket: Socket;
  #pending: Buffer | undefined;
  #open = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects and upgrades; rejects with the status line when the server refuses. `from` picks the local address, since one has 28k ports. */
  static connect(port: number, path: string, events: WebSocketEvents, from = '127.0.0.1'): Promise<LeanWebSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<LeanWebSocket>();
    const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true });
    const self = new LeanWebSocket(socket);
    socket.on('connect', () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      );
    });
    socket.on('data', (chunk) => {
      const data = self.#pending === undefined ? chunk : Buffer.concat([self.#pending, chunk]);
      self.#pending = undefined;
      if (self.#open) {
        self.#read(data, events);
        return;
      }
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        self.#pending = data;
        return;
      }
      const head = data.toString('latin1', 0, end);
      if (!head.startsWith('HTTP/1.1 101')) {
        reject(new Error(head.split('\r\n', 1)[0]));
        socket.destroy();
        return;
      }
      self.#open = true;
      resolve(self);
      // The first frames may share the upgrade's chunk; whoever awaits the socket gets it before they are handed out.
      queueMicrotask(() => self.#read(data.subarray(end + 4), events));
    });
    socket.on('error', (error) => {
      reject(error);
    });
    socket.on('close', () => {
      reject(new Error('closed before the upgrade'));
      events.closed('closed');
    });
    return promise;
  }

  #read(data: Buffer, events: WebSocketEvents): void {
    let at = 0;
    while (data.length - at >= 2) {
      let length = (data[at + 1] ?? 0) & 127;
      let header = 2;
      if (length === 126) {
        if (data.length - at < 4) break;
        length = data.readUInt16BE(at + 2);
        header = 4;
      } else if (length === 127) {
        if (data.length - at < 10) break;
        length = Number(data.readBigUInt64BE(at + 2));
        header = 10;
      }
      if (data.length - at < header + length) break;
      const opcode = (data[at] ?? 0) & 15;
      const start = at + header;
      at = start + length;
      if (opcode === 1) events.text(data.toString('utf8', start, at));
      else if (opcode === 9) this.#frame(0x8a, data.subarray(start, at));
      else if (opcode === 8) this.#socket.end();
    }
    if (at < data.length) this.#pending = data.subarray(at);
  }

  /** Sends one text message. */
  send(text: string): void {
    this.#frame(0x81, Buffer.from(text));
  }

  #frame(first: number, payload: Buffer): void {
    const header = payload.length < 126 ? 6 : 8;
    const frame = Buffer.alloc(header + payload.length);
    frame[0] = first;
    if (header === 6) {
      frame[1] = 0x80 | payload.length;
    } else {
      frame[1] = 0x80 | 126;
      frame.writeUInt16BE(payload.length, 2);
    }
    payload.copy(frame, header);
    this.#socket.write(frame);
  }

  /** Ends the connection without a closing handshake, as a vanished device does. */
  destroy(): void {
    this.#socket.destroy();
  }
}
