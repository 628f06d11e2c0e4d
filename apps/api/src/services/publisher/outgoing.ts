import type { Bus, Publication } from '@nudge/server-kit';

/** Called once: without an error when the bus accepted what it stands for. */
export type Settle = (error?: unknown) => void;

/** Gathers what is published in one turn of the event loop into one call of the bus. */
export class Outgoing {
  readonly #bus: Pick<Bus, 'publish'>;
  #publications: Publication[] = [];
  #settles: Settle[] = [];

  constructor(bus: Pick<Bus, 'publish'>) {
    this.#bus = bus;
  }

  /** Room for publications of this turn; `settle` hears of the call that carries them. */
  open(settle: Settle): Publication[] {
    if (this.#settles.length === 0) queueMicrotask(() => this.#flush());
    this.#settles.push(settle);
    return this.#publications;
  }

  #flush(): void {
    const publications = this.#publications;
    const settles = this.#settles;
    this.#publications = [];
    this.#settles = [];
    const settleAll = (error?: unknown): void => {
      for (const settle of settles) settle(error);
    };
    this.#bus.publish(publications).then(
      () => settleAll(),
      (error: unknown) => settleAll(error ?? new Error('the bus refused')),
    );
  }
}
