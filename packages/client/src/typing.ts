import type { Clock } from './clock.ts';

/** Says that the user types at most so often, and that it stopped when nothing was said of it for a while. */
export class TypingSignals {
  readonly #say: (conversationId: string, active: boolean) => void;
  readonly #clock: Clock;
  readonly #times: { readonly typingEveryMs: number; readonly typingStopMs: number };
  readonly #active = new Map<string, { saidAt: number; cancelStop: () => void }>();

  constructor(
    say: (conversationId: string, active: boolean) => void,
    clock: Clock,
    times: { readonly typingEveryMs: number; readonly typingStopMs: number },
  ) {
    this.#say = say;
    this.#clock = clock;
    this.#times = times;
  }

  typing(conversationId: string, active: boolean): void {
    const before = this.#active.get(conversationId);
    this.sent(conversationId);
    if (!active) {
      this.#say(conversationId, false);
      return;
    }
    const now = this.#clock.now();
    const silent = before !== undefined && now - before.saidAt < this.#times.typingEveryMs;
    if (!silent) this.#say(conversationId, true);
    const cancelStop = this.#clock.after(this.#times.typingStopMs, () => this.typing(conversationId, false));
    this.#active.set(conversationId, { saidAt: silent ? before.saidAt : now, cancelStop });
  }

  /** A message was sent: those who see it know that its author stopped typing. */
  sent(conversationId: string): void {
    this.#active.get(conversationId)?.cancelStop();
    this.#active.delete(conversationId);
  }

  close(): void {
    for (const id of [...this.#active.keys()]) this.sent(id);
  }
}
