import { type Clock, systemClock } from '../../clock.ts';
import type { GatewayDescription, GatewayDirectory, GatewayRecord } from '../gateway-directory.ts';

/** The gateways of a single process. */
export class MemoryGatewayDirectory implements GatewayDirectory {
  readonly #clock: Clock;
  readonly #gateways = new Map<string, GatewayRecord>();

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  async put(gateway: GatewayDescription, ttlMs: number): Promise<void> {
    const { id, url, zone, group, load, sockets, draining, unready } = gateway;
    const told = { ...(group === undefined ? {} : { group }), ...(unready === undefined ? {} : { unready }) };
    this.#gateways.set(id, { id, url, zone, ...told, load, sockets, draining, expiresAt: this.#clock.now() + ttlMs });
  }

  async remove(id: string): Promise<void> {
    this.#gateways.delete(id);
  }

  async list(): Promise<GatewayRecord[]> {
    const now = this.#clock.now();
    for (const { id, expiresAt } of this.#gateways.values()) if (expiresAt <= now) this.#gateways.delete(id);
    return [...this.#gateways.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gateways.clear();
  }
}
