import type { Clock } from '@nudge/server-kit';

export interface LoopOptions {
  /** One pass; answers after how many ms the next one is due. */
  readonly pass: () => Promise<number>;
  /** A pass rejected; the next one comes after `restMs`. */
  readonly onError: (error: unknown) => void;
  readonly restMs: number;
  readonly clock: Clock;
}

/** Makes passes one after the other until it is disposed, which waits for the one that is running. */
export class Loop implements AsyncDisposable {
  readonly #options: LoopOptions;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#arm(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #arm(ms: number): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#running = this.#pass();
    });
  }

  async #pass(): Promise<void> {
    const { pass, onError, restMs } = this.#options;
    let rest = restMs;
    try {
      rest = await pass();
    } catch (error) {
      onError(error);
    }
    this.#arm(rest);
  }
}
