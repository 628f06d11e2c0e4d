import type { Clock } from '@nudge/server-kit';
import type { PresenceService } from './presence.ts';
import type { Session } from './session.ts';

export interface RegistrationOptions {
  readonly sessions: { all(): Iterable<Session> };
  readonly presence: PresenceService;
  readonly clock: Clock;
  /** Over which time gateways that lost their records together begin, ms. */
  readonly spreadMs: number;
}

/** Sessions put at a time, and the pause after them. */
const batch = 200;
const pauseMs = 20;

/**
 * Puts this gateway's sessions into the registry again after their records were lost: paced, since all gateways lose theirs together, and
 * without telling anybody, since nobody came or went.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  #running: Promise<void> | undefined;
  #again = false;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** The records are gone, those put since the last call too. */
  lost(): void {
    this.#again = true;
    if (this.#running !== undefined || this.#cancel !== undefined || this.#stopped) return;
    const { clock, spreadMs } = this.#options;
    this.#cancel = clock.after(Math.random() * spreadMs, () => {
      this.#cancel = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        // Lost between the run's last look and here.
        if (this.#again) this.lost();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { sessions, presence, clock } = this.#options;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const lost = [...sessions.all()];
      for (let from = 0; from < lost.length && !this.#again && !this.#stopped; from += batch) {
        await Promise.all(lost.slice(from, from + batch).map((session) => presence.register(session)));
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      }
    }
  }
}
