import type { Gateways, Heartbeats, Network } from '@nudge/types';

export interface DispatcherOptions {
  /** Where gateways can be reached, best first. */
  readonly gatewayUrls: readonly string[];
  /** Base address of the pull side. */
  readonly syncUrl: string;
  readonly heartbeats: Heartbeats;
  /** How long an answer may be kept, seconds. */
  readonly ttlSeconds: number;
}

/** Tells a device where to connect, where to pull, and how its connection will be probed on its network. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  gatewaysFor(network: Network): Gateways {
    const { gatewayUrls, syncUrl, heartbeats, ttlSeconds } = this.#options;
    return {
      gateways: gatewayUrls.map((url) => ({ url, zone: 'default' })),
      sync: syncUrl,
      heartbeat: heartbeats[network],
      ttlSeconds,
    };
  }
}
