import { type Clock, type Logger, type SessionRegistry, toNudgeError } from '@nudge/server-kit';

export interface LeaseOptions {
  readonly registry: SessionRegistry;
  readonly gatewayId: string;
  /** Lifetime of the lease, ms; it is renewed three times in that. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** The lease had ended before it was renewed: the records are gone. */
  readonly onLapsed: () => void;
}

/** Keeps this gateway's records in the session registry alive: they count only while the lease is. */
export class Lease {
  readonly #options: LeaseOptions;
  #cancel: (() => void) | undefined;
  #renewal: Promise<void> | undefined;
  #stopped = false;
  #validUntil = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Rejects when the registry cannot be reached. */
  async start(): Promise<void> {
    await this.#renew();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
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
    const { registry, gatewayId, leaseMs, clock, onLapsed } = this.#options;
    const askedAt = clock.now();
    await registry.renewLease(gatewayId, leaseMs);
    const lapsed = this.#validUntil !== 0 && this.#validUntil < askedAt;
    this.#validUntil = askedAt + leaseMs;
    if (lapsed) onLapsed();
  }

  #failed(error: unknown): void {
    this.#options.log.warn({ err: error, code: toNudgeError(error).code }, 'the lease of this gateway could not be renewed');
  }
}
