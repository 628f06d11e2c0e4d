import type {
  Ack,
  AckedEventName,
  ClientPayload,
  Control,
  CustomEvent,
  Network,
  Notify,
  Presence,
  Receipt,
  Refusal,
  Typing,
  Welcome,
} from '@nudge/types';
import type { Clock } from './clock.ts';
import type { Endpoints } from './endpoints.ts';
import { asNudgeError, NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import { planReconnect } from './reconnect.ts';
import type { Tokens } from './tokens.ts';
import type { Connection, ConnectionHandlers, Transport } from './transport.ts';

/** What an acknowledged event answers when it is not refused. */
export type Accepted<Name extends AckedEventName> = Exclude<Ack<Name>, Refusal>;

/** What the link tells the client. */
export interface LinkObserver {
  welcome(welcome: Welcome, url: string): void;
  notify(notify: Notify): void;
  typing(typing: Typing): void;
  presence(presence: Presence): void;
  receipt(receipt: Receipt): void;
  event(event: CustomEvent): void;
  control(control: Control): void;
  /** The connection was lost or not to be had; another try follows after `retryInMs`. `said`: what the server gave as its reason. */
  disconnected(error: NudgeError, said: Control | undefined, retryInMs: number): void;
  /** The server does not want this client back as it is. */
  stopped(error: NudgeError, said: Control | undefined): void;
  error(error: NudgeError): void;
}

export interface LinkDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tokens: Tokens;
  readonly endpoints: Endpoints;
  readonly http: Http;
  readonly deviceId: string;
  readonly clientName: string | undefined;
  readonly platform: string | undefined;
  readonly network: Network;
  /** From the first byte to `welcome`, ms. */
  readonly connectTimeoutMs: number;
  /** For an acknowledgement, ms. */
  readonly ackTimeoutMs: number;
  readonly observer: LinkObserver;
}

interface Live {
  readonly connection: Connection;
  readonly url: string;
  readonly token: string;
  openedAt: number | undefined;
  said: Control | undefined;
}

/** Keeps one connection to a gateway, as long as it is wanted and the server lets it. */
export class Link {
  readonly #deps: LinkDeps;
  /** Number of the newest try; whatever an older one still says is ignored. */
  #try = 0;
  #wanted = false;
  #live: Live | undefined;
  #attempt = 0;
  #renewToken = false;
  #cancelTimer: (() => void) | undefined;
  /** Session of the last welcome and where it was: only that gateway can resume it. */
  #session: { readonly id: string; readonly url: string } | undefined;
  #lastToken: string | undefined;

  constructor(deps: LinkDeps) {
    this.#deps = deps;
  }

  get open(): boolean {
    return this.#live?.openedAt !== undefined;
  }

  /** Connects, and reconnects whenever that is lost; at once where a wait was under way. */
  start(): void {
    if (this.#wanted && (this.#live !== undefined || this.#cancelTimer === undefined)) return;
    this.#wanted = true;
    this.#connect();
  }

  /** Closes the connection and stays away until `start`. */
  stop(): void {
    this.#wanted = false;
    this.#abandon();
  }

  /** An acknowledged event over the present connection. Rejects with {@link NudgeError}, also when the gateway refuses it. */
  async request<Name extends AckedEventName>(event: Name, payload: ClientPayload<Name>): Promise<Accepted<Name>> {
    const live = this.#live;
    if (live?.openedAt === undefined) throw new NudgeError('disconnected', 'there is no connection', { retryable: true });
    const answer: Ack<Name> = await live.connection.request(event, payload, this.#deps.ackTimeoutMs);
    if (!isRefusal(answer)) return answer as Accepted<Name>;
    const { code, retryable, retryAfterMs } = answer;
    throw new NudgeError(code, `${event} was refused: ${code}`, { retryable, retryAfterMs: retryAfterMs ?? undefined });
  }

  typing(payload: ClientPayload<'typing'>): void {
    if (this.open) this.#live?.connection.typing(payload);
  }

  event(payload: ClientPayload<'event'>): void {
    if (this.open) this.#live?.connection.event(payload);
  }

  #abandon(): void {
    this.#try++;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const live = this.#live;
    this.#live = undefined;
    live?.connection.close();
  }

  #connect(): void {
    this.#abandon();
    const current = this.#try;
    void this.#dial(current).catch((error: unknown) => this.#ended(current, asNudgeError(error)));
  }

  async #dial(current: number): Promise<void> {
    const { tokens, endpoints, http, transport, clock, deviceId, clientName, platform, network, connectTimeoutMs } = this.#deps;
    const renew = this.#renewToken && this.#lastToken !== undefined;
    const token = renew && this.#lastToken !== undefined ? await tokens.renew(this.#lastToken) : await tokens.current();
    const url = await endpoints.gateway(http);
    if (current !== this.#try) return;
    this.#renewToken = false;
    this.#lastToken = token;
    const sessionId = this.#session?.url === url ? this.#session.id : undefined;
    const auth = {
      token,
      deviceId,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(clientName === undefined ? {} : { client: clientName }),
      ...(platform === undefined ? {} : { platform }),
    };
    const connection = transport.connect({ url, auth, network }, this.#handlers(current));
    if (current !== this.#try) return connection.close();
    this.#live = { connection, url, token, openedAt: undefined, said: undefined };
    this.#cancelTimer = clock.after(connectTimeoutMs, () =>
      this.#ended(current, new NudgeError('timeout', `no welcome within ${connectTimeoutMs} ms`, { retryable: true })),
    );
  }

  #handlers(current: number): ConnectionHandlers {
    const { observer } = this.#deps;
    /** Wraps a handler so that it hears nothing of a connection that was given up. */
    const ifCurrent =
      <T>(handle: (payload: T) => void) =>
      (payload: T) => {
        if (current === this.#try) handle(payload);
      };
    return {
      welcome: ifCurrent((welcome: Welcome) => this.#welcome(welcome)),
      notify: ifCurrent(observer.notify),
      typing: ifCurrent(observer.typing),
      presence: ifCurrent(observer.presence),
      receipt: ifCurrent(observer.receipt),
      event: ifCurrent(observer.event),
      control: ifCurrent((control: Control) => this.#control(current, control)),
      closed: ifCurrent((error: NudgeError) => this.#ended(current, error)),
    };
  }

  #welcome(welcome: Welcome): void {
    const live = this.#live;
    if (live === undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    live.openedAt = this.#deps.clock.now();
    this.#session = { id: welcome.sessionId, url: live.url };
    this.#deps.observer.welcome(welcome, live.url);
  }

  #control(current: number, control: Control): void {
    const { observer, clock, endpoints, random } = this.#deps;
    observer.control(control);
    if (current !== this.#try || this.#live === undefined) return;
    if (control.type === 'disconnect') this.#live.said = control;
    if (control.type === 'token_expiring') void this.#reauth(this.#live.token);
    if (control.type === 'reconnect') {
      const { target, retryAfterMs } = control;
      this.#cancelTimer?.();
      this.#cancelTimer = clock.after(retryAfterMs ?? Math.round(random() * 1_000), () => {
        if (target !== undefined && target !== null) endpoints.prefer(target);
        this.#connect();
      });
    }
  }

  async #reauth(token: string): Promise<void> {
    const { tokens, observer } = this.#deps;
    if (!tokens.renewable) return;
    try {
      const renewed = await tokens.renew(token);
      this.#lastToken = renewed;
      await this.request('reauth', { token: renewed });
    } catch (error) {
      // The gateway cuts the connection when the old token expires; the next one is made with what getToken gives then.
      observer.error(asNudgeError(error));
    }
  }

  #ended(current: number, error: NudgeError): void {
    if (current !== this.#try || !this.#wanted) return;
    const { clock, random, tokens, observer, endpoints } = this.#deps;
    const live = this.#live;
    const said = live?.said;
    this.#abandon();
    const openMs = live?.openedAt === undefined ? 0 : clock.now() - live.openedAt;
    const plan = planReconnect({ error, said, openMs, attempt: this.#attempt, renewable: tokens.renewable }, random());
    if (plan.type === 'stop') {
      this.#wanted = false;
      observer.stopped(error, said);
      return;
    }
    this.#attempt = plan.attempt;
    this.#renewToken ||= plan.renewToken;
    if (live?.openedAt === undefined || said !== undefined) endpoints.moveOn();
    this.#cancelTimer = clock.after(plan.afterMs, () => this.#connect());
    observer.disconnected(error, said, plan.afterMs);
  }
}

function isRefusal(answer: { ok: boolean }): answer is Refusal {
  return !answer.ok;
}
