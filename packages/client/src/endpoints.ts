import type { Gateways, Network } from '@nudge/types';
import type { Clock } from './clock.ts';
import { NudgeError } from './errors.ts';
import type { Http } from './http.ts';

/** Fixed addresses, best first. */
export interface FixedGateways {
  readonly gateways: readonly string[];
  /** Base address of the pull side; that of the API where absent. */
  readonly sync?: string;
}

/** Which address serves what. With `dispatcher` the list of gateways comes from `GET /v1/gateways` and is asked for again when it is stale. */
export class Endpoints {
  readonly api: string;
  readonly #source: FixedGateways | 'dispatcher';
  readonly #network: Network;
  readonly #clock: Clock;
  #list: readonly string[];
  #sync: string;
  #staleAt: number;
  #next = 0;
  #preferred: string | undefined;

  constructor(url: string, source: FixedGateways | 'dispatcher' | undefined, network: Network, clock: Clock) {
    this.api = base(url);
    this.#source = source ?? { gateways: [url] };
    this.#network = network;
    this.#clock = clock;
    const fixed = this.#source === 'dispatcher' ? { gateways: [] } : this.#source;
    this.#list = fixed.gateways.map(base);
    this.#sync = base(fixed.sync ?? url);
    this.#staleAt = this.#source === 'dispatcher' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }

  get sync(): string {
    return this.#sync;
  }

  /** The gateway to try now. */
  async gateway(http: Http): Promise<string> {
    const preferred = this.#preferred;
    this.#preferred = undefined;
    if (preferred !== undefined) return preferred;
    if (this.#clock.now() >= this.#staleAt) await this.#ask(http);
    const url = this.#list[this.#next % Math.max(1, this.#list.length)];
    if (url === undefined) throw new NudgeError('overloaded', 'no gateway is available', { retryable: true });
    return url;
  }

  /** The last gateway did not serve: try the next of the list; past its end a new list is asked for. */
  moveOn(): void {
    this.#next++;
    if (this.#source === 'dispatcher' && this.#next >= this.#list.length) this.#staleAt = Number.NEGATIVE_INFINITY;
  }

  /** The server names the gateway to go to; anything but an http(s) address is ignored. */
  prefer(target: string): void {
    if (/^https?:\/\/[^/]/.test(target)) this.#preferred = base(target);
  }

  async #ask(http: Http): Promise<void> {
    const { body } = await http.once({ method: 'GET', url: `${this.api}/v1/gateways?network=${this.#network}` });
    const { gateways, sync, ttlSeconds } = body as Partial<Gateways>;
    if (!Array.isArray(gateways) || typeof sync !== 'string' || typeof ttlSeconds !== 'number') {
      throw new NudgeError('bad_answer', 'the answer is not a list of gateways', { retryable: true });
    }
    this.#list = gateways.map(({ url }) => base(url));
    this.#sync = base(sync);
    this.#staleAt = this.#clock.now() + ttlSeconds * 1_000;
    this.#next = 0;
  }
}

function base(url: string): string {
  return url.replace(/\/+$/, '');
}
