import { connect, type Socket } from 'node:net';

/** What a lean request answers. */
export interface LeanAnswer {
  readonly status: number;
  readonly text: string;
}

interface Waiting {
  readonly data: string;
  readonly resolve: (answer: LeanAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One HTTP/1.1 keep-alive connection as a device has it: requests wait for each other. Reads answers with Content-Length only, which is
 * what the servers measured here send. For load generation.
 */
export class LeanHttp {
  readonly #port: number;
  readonly #from: string;
  readonly #authorization: string;
  readonly #queue: Waiting[] = [];
  #socket: Socket | undefined;
  #pending: Buffer | undefined;
  #current: Waiting | undefined;

  constructor(port: number, token?: string, from = '127.0.0.1') {
    this.#port = port;
    this.#from = from;
    this.#authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  }

  /** Sends one request; `body` is JSON text. Rejects when the connection breaks before the answer. */
  request(method: string, path: string, body?: string): Promise<LeanAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<LeanAnswer>();
    const entity =
      body === undefined ? '\r\n' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const data = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${this.#authorization}${entity}`;
    this.#queue.push({ data, resolve, reject });
    this.#next();
    return promise;
  }

  #next(): void {
    if (this.#current !== undefined) return;
    this.#current = this.#queue.shift();
    if (this.#current === undefined) return;
    this.#socket ??= this.#open();
    this.#socket.write(this.#current.data);
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress: this.#from, noDelay: true });
    socket.on('data', (chunk) => {
      this.#pending = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#parse();
    });
    const broken = (reason: string) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#pending = undefined;
      const current = this.#current;
      this.#current = undefined;
      current?.reject(new Error(reason));
      this.#next();
    };
    socket.on('error', (error) => {
      broken(error.message);
    });
    socket.on('close', () => {
      broken('connection closed');
    });
    return socket;
  }

  #parse(): void {
    const data = this.#pending;
    const end = data?.indexOf('\r\n\r\n') ?? -1;
    if (data === undefined || end < 0) return;
    const head = data.toString('latin1', 0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) throw new Error('an answer without Content-Length');
    const total = end + 4 + length;
    if (data.length < total) return;
    const answer = { status: Number(head.slice(9, 12)), text: data.toString('utf8', end + 4, total) };
    this.#pending = data.length > total ? data.subarray(total) : undefined;
    const current = this.#current;
    this.#current = undefined;
    current?.resolve(answer);
    this.#next();
  }

  /** Drops the connection. */
  destroy(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
