import type {
  Ack,
  AckedEventName,
  ClientPayload,
  Control,
  CustomEvent,
  HandshakeAuth,
  Network,
  Notify,
  Presence,
  Receipt,
  Typing,
  Welcome,
} from '@nudge/types';
import type { NudgeError } from './errors.ts';

/** Where and as whom to connect. */
export interface ConnectRequest {
  /** Base address of the gateway, `http(s)://host[:port]`. */
  readonly url: string;
  readonly auth: HandshakeAuth;
  /** Heartbeat profile asked for. */
  readonly network: Network;
}

/**
 * What a connection tells. Nothing is called before `connect` has returned or after `closed`; `closed` is called once, whoever closed.
 */
export interface ConnectionHandlers {
  welcome(welcome: Welcome): void;
  notify(notify: Notify): void;
  typing(typing: Typing): void;
  presence(presence: Presence): void;
  receipt(receipt: Receipt): void;
  event(event: CustomEvent): void;
  control(control: Control): void;
  /** The connection is over, or never came about. The error says whether to come back. */
  closed(error: NudgeError): void;
}

/** One connection to a gateway. */
export interface Connection {
  /** Sends an event and waits for its acknowledgement, at most `timeoutMs`. Rejects with {@link NudgeError} `timeout` or `disconnected`. */
  request<Name extends AckedEventName>(event: Name, payload: ClientPayload<Name>, timeoutMs: number): Promise<Ack<Name>>;
  /** Sends `typing` if it can be written at once; forgets it otherwise. */
  typing(payload: ClientPayload<'typing'>): void;
  /** The same for a custom event. */
  event(payload: ClientPayload<'event'>): void;
  close(): void;
}

/** The socket as a port: socket.io by default, something leaner or deliberately faulty in benchmarks and tests. */
export interface Transport {
  connect(request: ConnectRequest, handlers: ConnectionHandlers): Connection;
}
