import { connect, type Socket } from 'node:net';
import { waitFor } from '../../support/wait-for.ts';

/** What came back over a connection that is written to by hand. */
export interface Wire extends Disposable {
  readonly socket: Socket;
  /** Everything received so far. */
  readonly text: string;
  readonly closed: boolean;
  write(bytes: string | Uint8Array): void;
  /** The first answer, complete with its body. */
  answer(timeoutMs?: number): Promise<WireAnswer>;
  /** Waits until the server has closed. */
  end(timeoutMs?: number): Promise<void>;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Opens a TCP connection to the server. */
export function openWire(url: string): Wire {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  let closed = false;
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('close', () => {
    closed = true;
  });
  // A server that cuts off a client resets its connection.
  socket.on('error', () => {
    closed = true;
  });
  const text = () => Buffer.concat(chunks).toString('latin1');
  return {
    socket,
    get text() {
      return text();
    },
    get closed() {
      return closed;
    },
    write: (bytes) => void socket.write(bytes),
    answer: (timeoutMs = 5_000) => waitFor('an answer', () => parseAnswer(text()), { timeoutMs }),
    async end(timeoutMs = 5_000) {
      await waitFor('the server to close', () => closed, { timeoutMs });
    },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

/** Splits an answer; `undefined` until it is complete. */
function parseAnswer(text: string): WireAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const body = text.slice(end + 4);
  return body.length < length ? undefined : { status: Number(first.split(' ')[1]), headers, body: body.slice(0, length) };
}
