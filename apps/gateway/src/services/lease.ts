import { type Clock, type Logger, type SessionRegistry, toNudgeError } from '@nudge/server-kit';

export interface LeaseOptions {
  readonly registry: SessionRegistry;
  readonly gatewayId: string;
  /** Lifetime of the lease, ms; it is renewed three times in that. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** This gateway's records are gone or may be wrong. */
  readonly onLost: () => void;
}

/** Keeps this gateway's records in the session registry alive: they count only while the lease is. */
export class Lease {
  readonly #options: LeaseOptions;
  #cancel: (() => void) | undefined;
  #renewal: Promise<void> | undefined;
  #stopped = false;
  #stopListening: (() => void) | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Rejects when the registry cannot be reached. */
  async start(): Promise<void> {
    const { registry, gatewayId, onLost } = this.#options;
    this.#stopListening = registry.onLost((lostId) => {
      if (lostId === gatewayId) onLost();
    });
    await this.#renew();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#stopListening?.();
    await this.#renewal;
    try {
      await this.#options.registry.dropLease(this.#options.gatewayId);
    } catch (error) {
      this.#failed(error);
    }
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#cancel = this.#options.clock.after(this.#options.leaseMs / 3, () => {
      this.#renewal = this.#renew()
        .catch((error: unknown) => this.#failed(error))
        .then(() => this.#arm());
    });
  }

  async #renew(): Promise<void> {
    const { registry, gatewayId, leaseMs } = this.#options;
    await registry.renewLease(gatewayId, leaseMs);
  }

  #failed(error: unknown): void {
    this.#options.log.warn({ err: error, code: toNudgeError(error).code }, 'the lease of this gateway could not be renewed');
  }
}
