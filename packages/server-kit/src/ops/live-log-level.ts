import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { type Logger, type LogLevel, logLevels } from '../log.ts';

/** `seconds`: after that the level is again what it was before; for good when left out. */
export const logLevelChangeSchema = z.strictObject({
  level: z.enum(logLevels),
  seconds: z.int().min(1).max(86_400).optional(),
});

export interface LogLevelState {
  readonly level: LogLevel;
  /** When the level goes back to `previous`, in RFC 3339; absent while it does not. */
  readonly until?: string;
  readonly previous?: LogLevel;
}

/** The log level of a running process. Loggers of single requests are made from this one, so they follow with the next request. */
export class LiveLogLevel implements Disposable {
  readonly #log: Logger;
  readonly #clock: Clock;
  #temporary: { readonly previous: LogLevel; readonly until: number; readonly cancel: () => void } | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get state(): LogLevelState {
    const level = this.#log.level as LogLevel;
    const temporary = this.#temporary;
    return temporary === undefined ? { level } : { level, until: new Date(temporary.until).toISOString(), previous: temporary.previous };
  }

  change({ level, seconds }: z.infer<typeof logLevelChangeSchema>): LogLevelState {
    const previous = this.#temporary?.previous ?? (this.#log.level as LogLevel);
    this.#forget();
    this.#set(level);
    if (seconds !== undefined) {
      const cancel = this.#clock.after(seconds * 1_000, () => {
        this.#temporary = undefined;
        this.#set(previous);
      });
      this.#temporary = { previous, until: this.#clock.now() + seconds * 1_000, cancel };
    }
    return this.state;
  }

  [Symbol.dispose](): void {
    this.#forget();
  }

  #forget(): void {
    this.#temporary?.cancel();
    this.#temporary = undefined;
  }

  #set(level: LogLevel): void {
    // Said under the old level: the new one may be silent.
    this.#log.warn({ state: level }, 'the log level changes');
    this.#log.level = level;
  }
}
