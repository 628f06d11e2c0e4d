import { type Clock, type GatewayDirectory, type GatewayRecord, type Logger, orderGateways } from '@nudge/server-kit';
import type { Gateways, Heartbeats, Network } from '@nudge/types';

export interface DispatcherOptions {
  /** The gateways that live. */
  readonly gateways: Pick<GatewayDirectory, 'list'>;
  /** Where gateways can be reached while the directory names none. */
  readonly gatewayUrls: readonly string[];
  /** Base address of the pull side. */
  readonly syncUrl: string;
  readonly heartbeats: Heartbeats;
  /** How long an answer may be kept, seconds. */
  readonly ttlSeconds: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a list is used before the directory is asked again, ms. */
const LIST_MS = 1_000;
/** Gateways named in one answer. */
const MOST = 8;

/** Tells a device where to connect, where to pull, and how its connection will be probed on its network. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #list: readonly GatewayRecord[] = [];
  #listedAt = Number.NEGATIVE_INFINITY;
  #flight: Promise<void> | undefined;
  #failing = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async gatewaysFor(appId: string, userId: string, network: Network): Promise<Gateways> {
    const { gatewayUrls, syncUrl, heartbeats, ttlSeconds, clock } = this.#options;
    if (clock.now() - this.#listedAt >= LIST_MS) await this.#read();
    const named = orderGateways({ appId, userId }, this.#list, MOST).map(({ url, zone }) => ({ url, zone }));
    return {
      gateways: named.length > 0 ? named : gatewayUrls.map((url) => ({ url, zone: 'default' })),
      sync: syncUrl,
      heartbeat: heartbeats[network],
      ttlSeconds,
    };
  }

  #read(): Promise<void> {
    this.#flight ??= this.#refresh().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** While the directory cannot be reached the last list serves: most gateways live longer than it is away, and clients try the next. */
  async #refresh(): Promise<void> {
    const { gateways, clock, log } = this.#options;
    try {
      this.#list = await gateways.list();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) log.warn({ err: error }, 'the gateways could not be read: the last list serves');
      this.#failing = true;
    }
    this.#listedAt = clock.now();
  }
}
