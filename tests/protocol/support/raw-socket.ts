import { SOCKET_PATH } from '@nudge/types';
import { WebSocket } from 'ws';
import { waitFor } from '../../support/wait-for.ts';

/** A bare WebSocket that speaks (or breaks) engine.io and socket.io by hand. */
export interface RawSocket extends Disposable {
  readonly socket: WebSocket;
  /** Text frames that came, in order. */
  readonly frames: readonly string[];
  /** Code of the WebSocket's close; `undefined` while it is open. */
  readonly closeCode: number | undefined;
  send(frame: string | Uint8Array): void;
  /** The first frame that matches. */
  frame(pattern: RegExp): Promise<string>;
  closed(timeoutMs?: number): Promise<number>;
}

export interface RawOptions {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Opens the engine's connection; nothing is sent yet. Rejects with the HTTP status when the upgrade is refused. */
export async function openRaw(url: string, { query = 'EIO=4&transport=websocket', headers = {} }: RawOptions = {}): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${SOCKET_PATH}/?${query}`, { headers: { ...headers } });
  const frames: string[] = [];
  let closeCode: number | undefined;
  socket.on('message', (data, binary) => frames.push(binary ? '<binary>' : String(data)));
  socket.on('close', (code) => {
    closeCode = code;
  });
  const opened = Promise.withResolvers<void>();
  socket.on('open', () => opened.resolve());
  socket.on('error', (error) => opened.reject(error));
  await opened.promise;
  return {
    socket,
    frames,
    get closeCode() {
      return closeCode;
    },
    send: (frame) => socket.send(frame),
    frame: (pattern) => waitFor(`a frame ${pattern}`, () => frames.find((frame) => pattern.test(frame))),
    closed: (timeoutMs = 5_000) => waitFor('the WebSocket to close', () => closeCode, { timeoutMs }),
    [Symbol.dispose]() {
      socket.terminate();
    },
  };
}

/** Opens the engine's connection and connects as a device; the welcome has come. */
export async function openRawSession(url: string, token: string, deviceId = 'raw'): Promise<RawSocket> {
  const raw = await openRaw(url);
  raw.send(`40${JSON.stringify({ token, deviceId })}`);
  await raw.frame(/^42\["welcome"/);
  return raw;
}

/** Status and body of an upgrade request that must be refused. */
export async function refusedUpgrade(
  url: string,
  options: RawOptions = {},
): Promise<{ readonly status: number; readonly body: unknown; readonly headers: Headers }> {
  const { query = 'EIO=4&transport=websocket', headers = {} } = options;
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${SOCKET_PATH}/?${query}`, { headers: { ...headers } });
  const answered = Promise.withResolvers<{ status: number; body: unknown; headers: Headers }>();
  socket.on('open', () => {
    socket.terminate();
    answered.reject(new Error('the upgrade was not refused'));
  });
  socket.on('error', (error) => answered.reject(error));
  socket.on('unexpected-response', (_request, response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      const names = Object.entries(response.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as [string, string]] : [],
      );
      answered.resolve({
        status: response.statusCode ?? 0,
        body: JSON.parse(Buffer.concat(chunks).toString()) as unknown,
        headers: new Headers(names),
      });
    });
  });
  return answered.promise;
}
