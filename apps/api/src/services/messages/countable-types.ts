import type { Clock } from '@nudge/server-kit';

export interface CountableTypesOptions {
  /** The custom types of an app that count as unread, from its settings. */
  readonly load: (appId: string) => Promise<readonly string[]>;
  readonly clock: Clock;
  /** How long a copy may be used, ms. */
  readonly maxAgeMs: number;
}

interface Copy {
  readonly types: ReadonlySet<string>;
  readonly askedAt: number;
}

/** Whether an entry counts as unread; decided when it is appended and kept with it. */
export class CountableTypes {
  readonly #options: CountableTypesOptions;
  readonly #copies = new Map<string, Copy>();
  readonly #flights = new Map<string, Promise<Copy>>();

  constructor(options: CountableTypesOptions) {
    this.#options = options;
  }

  /** A message always counts, and is answered without waiting; a custom type when the app's settings name it. */
  isCountable(appId: string, type: string): boolean | Promise<boolean> {
    if (type === 'message') return true;
    const copy = this.#copies.get(appId);
    if (copy !== undefined && this.#options.clock.now() - copy.askedAt <= this.#options.maxAgeMs) return copy.types.has(type);
    return this.#refresh(appId).then(({ types }) => types.has(type));
  }

  #refresh(appId: string): Promise<Copy> {
    let flight = this.#flights.get(appId);
    if (flight === undefined) {
      const askedAt = this.#options.clock.now();
      flight = this.#options
        .load(appId)
        .then((types) => {
          const copy = { types: new Set(types), askedAt };
          this.#copies.set(appId, copy);
          return copy;
        })
        .finally(() => this.#flights.delete(appId));
      this.#flights.set(appId, flight);
    }
    return flight;
  }
}
