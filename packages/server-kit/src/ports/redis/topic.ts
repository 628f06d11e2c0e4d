import type { BusMessage } from '../bus.ts';
import type { Subscribed } from './subscriber-link.ts';

/** One topic that someone here hears, however many do: one subscription at the server. */
export class Topic implements Subscribed {
  readonly channel: string;
  readonly subscriptions = new Set<{ readonly listener: (message: BusMessage) => void }>();
  /** The master that it is subscribed at. */
  node: string | undefined;
  /** What is published now is heard. */
  inForce = false;
  #opening: PromiseWithResolvers<void> | undefined;

  constructor(channel: string) {
    this.channel = channel;
  }

  /** Resolves when it is in force; rejects when that failed. */
  opening(): Promise<void> {
    this.#opening ??= Promise.withResolvers<void>();
    return this.#opening.promise;
  }

  confirmed(): void {
    this.inForce = true;
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  failed(error: Error): void {
    this.inForce = false;
    this.#opening?.reject(error);
    this.#opening = undefined;
  }
}
