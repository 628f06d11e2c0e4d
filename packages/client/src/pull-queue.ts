import type { LogName } from '@nudge/types';

/** A pull that a log asked for. `after` null: the newest page. `min` 0: no minimum. */
export interface PendingPull {
  readonly log: LogName;
  readonly ticket: number;
  readonly after: number | null;
  readonly min: number;
  /** Not with others in one request: a request that named it was refused as a whole. */
  readonly alone?: boolean;
}

/** A page of the list of conversations that a round asked for. */
export interface PendingHeads {
  readonly ticket: number;
  readonly since: string | null;
  readonly page: string | null;
}

/** One HTTP request: the hot GET for one conversation, or one `POST /v1/sync` for many logs. */
export type Flight =
  | { readonly via: 'entries'; readonly pull: PendingPull }
  | { readonly via: 'sync'; readonly pulls: readonly PendingPull[]; readonly heads: PendingHeads | undefined };

/** Bounds of the queue. */
export interface PullQueueOptions {
  /** Requests at the same time. */
  readonly flights: number;
  /** Logs in one `POST /v1/sync`. */
  readonly logsPerSync: number;
}

/**
 * Turns pulls into requests: what comes together goes together. Pulls that arrive in one turn of the event loop, or while all flights
 * are out, share one request. A log has at most one pull here, the newest. Each flight reports its own outcome; it never rejects.
 */
export class PullQueue {
  readonly #fly: (flight: Flight) => Promise<void>;
  readonly #options: PullQueueOptions;
  readonly #pending = new Map<LogName, PendingPull>();
  #heads: PendingHeads | undefined;
  #inFlight = 0;
  #scheduled = false;

  constructor(fly: (flight: Flight) => Promise<void>, options: PullQueueOptions) {
    this.#fly = fly;
    this.#options = options;
  }

  pull(pull: PendingPull): void {
    this.#pending.set(pull.log, pull);
    this.#schedule();
  }

  heads(heads: PendingHeads): void {
    this.#heads = heads;
    this.#schedule();
  }

  /** Forgets a pull that has not left yet. */
  forget(log: LogName): void {
    this.#pending.delete(log);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#launch();
    });
  }

  #launch(): void {
    while (this.#inFlight < this.#options.flights) {
      const flight = this.#next();
      if (flight === undefined) return;
      this.#inFlight++;
      void this.#fly(flight).finally(() => {
        this.#inFlight--;
        this.#schedule();
      });
    }
  }

  #next(): Flight | undefined {
    const shared: PendingPull[] = [];
    for (const pull of this.#pending.values()) {
      if ((pull.after !== null || byUser(pull)) && pull.alone !== true) shared.push(pull);
      if (shared.length === this.#options.logsPerSync) break;
    }
    const [only] = shared;
    if (this.#heads !== undefined || shared.length > 1 || (only !== undefined && byUser(only))) {
      const heads = this.#heads;
      this.#heads = undefined;
      for (const { log } of shared) this.#pending.delete(log);
      return { via: 'sync', pulls: shared, heads };
    }
    const single = only ?? this.#pending.values().next().value;
    if (single === undefined) return undefined;
    this.#pending.delete(single.log);
    return byUser(single) ? { via: 'sync', pulls: [single], heads: undefined } : { via: 'entries', pull: single };
  }
}

/** The feed and the app's log have no route of their own. */
function byUser(pull: PendingPull): boolean {
  return !pull.log.startsWith('c/');
}
