import {
  type AckedEventName,
  ackSchemas,
  type ClientEventName,
  type ClientPayload,
  type Control,
  type CustomEvent,
  controlSchema,
  customEventSchema,
  type ErrorCode,
  errorRegistry,
  type HandshakeRefusal,
  type Notify,
  notifySchema,
  type Presence,
  presenceSchema,
  type Receipt,
  receiptSchema,
  refusalSchema,
  SOCKET_PATH,
  type Typing,
  typingSchema,
  type Welcome,
  welcomeSchema,
} from '@nudge/types';
import { io, type Socket } from 'socket.io-client';
import { waitFor } from '../../support/wait-for.ts';

/** Everything the server may send, with the schema it must have. */
const serverEvents = {
  welcome: welcomeSchema,
  notify: notifySchema,
  typing: typingSchema,
  presence: presenceSchema,
  receipt: receiptSchema,
  event: customEventSchema,
  control: controlSchema,
} as const;

interface ServerPayloads {
  readonly welcome: Welcome;
  readonly notify: Notify;
  readonly typing: Typing;
  readonly presence: Presence;
  readonly receipt: Receipt;
  readonly event: CustomEvent;
  readonly control: Control;
}

export interface SocketOptions {
  readonly token: string;
  readonly deviceId?: string;
  readonly sessionId?: string;
  readonly client?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A plain socket.io client that holds every payload against its schema and remembers all of them. */
export interface Device extends Disposable {
  readonly welcome: Welcome;
  readonly socket: Socket;
  /** Why the connection ended; `undefined` while it lives. */
  readonly ended: string | undefined;
  /** What came so far under the name, in order. */
  heard<Name extends keyof ServerPayloads>(name: Name): readonly ServerPayloads[Name][];
  /** The first payload of that name, past or future, that passes. */
  hear<Name extends keyof ServerPayloads>(name: Name, passes?: (payload: ServerPayloads[Name]) => boolean): Promise<ServerPayloads[Name]>;
  /** Newest position heard for a log; 0 when none was. */
  position(log: string): number;
  /** Waits until the log was heard to have reached `seq`. */
  reach(log: string, seq: number): Promise<void>;
  /** Asks and returns the acknowledged success; throws when refused. */
  ask<Name extends AckedEventName>(name: Name, payload: ClientPayload<Name>): Promise<Extract<Acks[Name], { ok: true }>>;
  /** Asks anything and returns the refusal, which must have that code. */
  askRefused(code: ErrorCode, name: string, ...args: readonly unknown[]): Promise<void>;
  /** Sends without asking for an acknowledgement. */
  tell(name: ClientEventName | (string & {}), ...args: readonly unknown[]): void;
  /** Waits for the end; answers the code and reason announced before it. */
  cutOff(): Promise<{ readonly code: number | undefined; readonly reason: string | undefined; readonly retryAfterMs: number | undefined }>;
}

type Acks = { [Name in AckedEventName]: { ok: true } & ReturnType<(typeof ackSchemas)[Name]['parse']> };

const ackTimeoutMs = 10_000;

function open(url: string, { token, deviceId = 'device-1', sessionId, client, query, headers }: SocketOptions): Socket {
  return io(url, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { token, deviceId, ...(sessionId === undefined ? {} : { sessionId }), ...(client === undefined ? {} : { client }) },
    ...(query === undefined ? {} : { query: { ...query } }),
    ...(headers === undefined ? {} : { extraHeaders: { ...headers } }),
  });
}

/** Connects and waits for the welcome. */
export async function connectDevice(url: string, options: SocketOptions): Promise<Device> {
  const socket = open(url, options);
  const received: { readonly name: string; readonly payload: unknown }[] = [];
  const violations: string[] = [];
  let ended: string | undefined;
  let refusal: Error | undefined;
  socket.onAny((name: string, ...args: unknown[]) => {
    const schema = Object.hasOwn(serverEvents, name) ? serverEvents[name as keyof typeof serverEvents] : undefined;
    const result = schema?.safeParse(args[0]);
    if (result === undefined || args.length !== 1 || !result.success) {
      violations.push(`${name} ${JSON.stringify(args).slice(0, 300)}: ${result?.error?.message ?? 'not in the contract'}`);
    }
    received.push({ name, payload: args[0] });
  });
  socket.on('disconnect', (reason) => {
    ended = reason;
  });
  socket.on('connect_error', (error) => {
    refusal = error;
  });
  const check = () => {
    if (violations.length > 0) throw new Error(`the server broke the contract: ${violations.join('\n')}`);
  };
  const heard = <Name extends keyof ServerPayloads>(name: Name): ServerPayloads[Name][] => {
    check();
    return received.filter((event) => event.name === name).map((event) => event.payload as ServerPayloads[Name]);
  };
  const hear = async <Name extends keyof ServerPayloads>(name: Name, passes: (payload: ServerPayloads[Name]) => boolean = () => true) =>
    waitFor(`an event ${name}`, () => heard(name).find(passes));
  const position = (log: string) =>
    Math.max(0, ...heard('notify').flatMap(({ keys }) => keys.map(([name, seq]) => (name === log ? seq : 0))));
  const acknowledge = async (name: string, args: readonly unknown[]): Promise<unknown> =>
    socket.timeout(ackTimeoutMs).emitWithAck(name, ...args);

  try {
    await waitFor('a welcome', () => {
      if (refusal !== undefined) return true;
      return heard('welcome').length > 0;
    });
    if (refusal !== undefined)
      throw new Error(`the handshake was refused: ${JSON.stringify(Reflect.get(refusal, 'data'))} ${refusal.message}`);
  } catch (error) {
    socket.disconnect();
    throw error;
  }
  const [welcome] = heard('welcome');
  if (welcome === undefined) throw new Error('no welcome');
  return {
    welcome,
    socket,
    get ended() {
      return ended;
    },
    heard,
    hear,
    position,
    async reach(log, seq) {
      await waitFor(`the key [${log}, ${seq}]`, () => position(log) >= seq);
    },
    async ask(name, payload) {
      const answer = await acknowledge(name, [payload]);
      const result = ackSchemas[name].safeParse(answer);
      if (!result.success) throw new Error(`${name} was acknowledged with ${JSON.stringify(answer)}: ${result.error.message}`);
      return result.data as Extract<Acks[typeof name], { ok: true }>;
    },
    async askRefused(code, name, ...args) {
      const answer = await acknowledge(name, args);
      const result = refusalSchema.safeParse(answer);
      if (!result.success || result.data.code !== code || result.data.retryable !== errorRegistry[code].retryable) {
        throw new Error(`${name} was acknowledged with ${JSON.stringify(answer)}, not with ${code}`);
      }
    },
    tell(name, ...args) {
      socket.emit(name, ...args);
    },
    async cutOff() {
      await waitFor('the end of the connection', () => ended);
      const control = heard('control').find(({ type }) => type === 'disconnect');
      return { code: control?.code ?? undefined, reason: control?.reason ?? undefined, retryAfterMs: control?.retryAfterMs ?? undefined };
    },
    [Symbol.dispose]() {
      socket.disconnect();
      check();
    },
  };
}

/** Tells again and again until it was heard: what is ephemeral is never queued, and what would have to wait is dropped. */
export async function tellUntil(device: Device, name: 'typing' | 'event', payload: object, heard: () => boolean): Promise<void> {
  await waitFor(
    `${name} to be heard`,
    () => {
      if (heard()) return true;
      device.tell(name, payload);
      return false;
    },
    { intervalMs: 100 },
  );
}

/** A handshake that must be refused: what `connect_error` carries, after the connection was closed by the server (within a second). */
export async function refusedHandshake(
  url: string,
  auth: unknown,
  query: Readonly<Record<string, string>> = {},
): Promise<HandshakeRefusal> {
  const socket = io(url, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: auth as Record<string, unknown>,
    query: { ...query },
  });
  try {
    const refusal = Promise.withResolvers<HandshakeRefusal>();
    socket.on('connect', () => refusal.reject(new Error('the handshake was not refused')));
    socket.on('connect_error', (error) => {
      const data: unknown = Reflect.get(error, 'data');
      if (typeof data === 'object' && data !== null) refusal.resolve(data as HandshakeRefusal);
      else refusal.reject(new Error(`a refusal without data: ${error.message}`));
    });
    const { code, ...rest } = await refusal.promise;
    const result = refusalSchema.safeParse({ ok: false, code, ...rest });
    if (!result.success) throw new Error(`not a refusal: ${result.error.message}`);
    await waitFor('the server to close', () => socket.io.engine.readyState === 'closed', { timeoutMs: 1_000 });
    return { code, ...rest };
  } finally {
    socket.disconnect();
  }
}
