import { type Clock, systemClock } from './clock.ts';
import type { Logger } from './log.ts';

/** One history of one database cluster. */
export interface ClusterIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** The cluster that answers, and the one that the epochs of the apps are true of. */
export interface IdentityReading {
  readonly actual: ClusterIdentity;
  readonly recorded: ClusterIdentity;
  /** When it was recorded, as the database writes it: another value means that an operator has settled something since. */
  readonly recordedAt: string;
}

/** Times in ms. */
export interface EpochGuardOptions {
  /** Asks the primary; the first reading of a database records it. */
  readonly read: () => Promise<IdentityReading>;
  /** An operator has settled it: what was read or cached of the former history goes, the epochs are read again. Waited for before serving. */
  readonly onSettled: () => Promise<void>;
  readonly everyMs?: number;
  readonly clock?: Clock;
  readonly log: Logger;
}

/**
 * Notices that the primary is not the cluster it was: a backup was restored, or a standby promoted. What clients hold may then be ahead of the
 * truth, and only a person can say whether it is; until `nudge epoch keep` or `bump` nothing is served. Asked at the start, with every new
 * connection ({@link EpochGuard.recheck}), every `everyMs`, and when an app's epoch turns out to be another ({@link EpochGuard.suspect}): all of it may
 * have happened, and been settled, while this process could not look. That the database cannot be asked changes nothing: who needs it fails by itself.
 */
export class EpochGuard implements AsyncDisposable {
  readonly #options: Required<EpochGuardOptions>;
  #differs: IdentityReading | undefined;
  /** When what is served was recorded. */
  #servedAs: string | undefined;
  /** What is held may be of a history that is over. */
  #suspected = false;
  #flight: Promise<void> | undefined;
  #again = false;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(options: EpochGuardOptions) {
    this.#options = { ...options, everyMs: options.everyMs ?? 5_000, clock: options.clock ?? systemClock };
  }

  /** Asks once, rejecting when the database cannot be asked, and again from then on. A cluster that differs is no rejection. */
  async start(): Promise<void> {
    await this.#look();
    this.#arm();
  }

  /** Why nothing may be served, for callers; undefined while all is well. */
  get refusal(): string | undefined {
    if (this.#differs !== undefined) return 'the database was restored or promoted, and an operator has yet to say how to go on';
    return this.#suspected ? 'the database was restored or promoted, and what was known of it is being read again' : undefined;
  }

  /** An app's epoch is another than before: nothing is served until the cluster has been looked at and what was held is dropped. */
  suspect(): void {
    this.#suspected = true;
    this.recheck();
  }

  /** A connection was made: perhaps to another cluster. Of many at once the last asks. */
  recheck(): void {
    if (this.#flight !== undefined) {
      this.#again = true;
      return;
    }
    if (this.#closed) return;
    this.#flight = this.#look()
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'the identity of the database could not be read'))
      .finally(() => {
        this.#flight = undefined;
        const again = this.#again;
        this.#again = false;
        if (again) this.recheck();
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#again = false;
    this.#cancel?.();
    await this.#flight;
  }

  async #look(): Promise<void> {
    const { read, onSettled, log } = this.#options;
    const reading = await read();
    const { actual, recorded, recordedAt } = reading;
    if (actual.systemIdentifier !== recorded.systemIdentifier || actual.timeline !== recorded.timeline) {
      const news = this.#differs === undefined;
      this.#differs = reading;
      if (news) log.error({ actual, recorded }, describeDifference(reading));
      return;
    }
    this.#servedAs ??= recordedAt;
    if (this.#differs === undefined && !this.#suspected && this.#servedAs === recordedAt) return;
    this.#suspected = true;
    await onSettled();
    this.#servedAs = recordedAt;
    this.#differs = undefined;
    this.#suspected = false;
    log.info({ actual }, 'what was held of the database has been dropped: it is the recorded cluster, ready');
  }

  #arm(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#options.everyMs, () => {
      this.recheck();
      void this.#flight?.then(() => this.#arm());
    });
  }
}

function describeDifference({ actual, recorded }: IdentityReading): string {
  const name = ({ systemIdentifier, timeline }: ClusterIdentity) => `system ${systemIdentifier}, timeline ${timeline}`;
  return (
    `not ready: the database was restored or promoted (recorded: ${name(recorded)}; now: ${name(actual)}). ` +
    'Run "npm run nudge -- epoch keep" when nothing acknowledged is missing, else "npm run nudge -- epoch bump"'
  );
}
