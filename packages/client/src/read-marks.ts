import type { Clock } from './clock.ts';
import { NudgeError } from './errors.ts';

/** Own read position of a conversation, and what is unread beyond it. */
export interface ReadPosition {
  readonly readSeq: number;
  readonly unread: number;
}

/** Reads the answer to a read position. */
export function readPosition(value: unknown): ReadPosition {
  const { readSeq, unread } = (value ?? {}) as Partial<ReadPosition>;
  if (typeof readSeq === 'number' && typeof unread === 'number') return { readSeq, unread };
  throw new NudgeError('bad_answer', 'the answer to a read position is not one', { retryable: true });
}

/** Reads the answer to a delivered position. */
export function deliveredPosition(value: unknown): number {
  const { deliveredSeq } = (value ?? {}) as { deliveredSeq?: unknown };
  if (typeof deliveredSeq === 'number') return deliveredSeq;
  throw new NudgeError('bad_answer', 'the answer to a delivered position is not one', { retryable: true });
}

interface Mark<Position> {
  seq: number;
  waiters: { resolve: (position: Position) => void; reject: (error: unknown) => void }[];
  cancelPause: (() => void) | undefined;
}

/** Positions move often, while a user scrolls or entries arrive: at most one request per conversation and `everyMs`, with the newest position. */
export class Marks<Position> {
  readonly #put: (conversationId: string, seq: number) => Promise<Position>;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #marks = new Map<string, Mark<Position>>();

  constructor(put: (conversationId: string, seq: number) => Promise<Position>, clock: Clock, everyMs: number) {
    this.#put = put;
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /** Resolves with the answer to the request that covered this position. */
  mark(conversationId: string, seq: number): Promise<Position> {
    return new Promise((resolve, reject) => {
      const known = this.#marks.get(conversationId);
      if (known !== undefined) {
        known.seq = Math.max(known.seq, seq);
        known.waiters.push({ resolve, reject });
        return;
      }
      const mark: Mark<Position> = { seq, waiters: [{ resolve, reject }], cancelPause: undefined };
      this.#marks.set(conversationId, mark);
      void this.#send(conversationId, mark);
    });
  }

  /** Refuses what has not been sent. */
  close(): void {
    for (const mark of this.#marks.values()) {
      mark.cancelPause?.();
      for (const { reject } of mark.waiters) reject(new NudgeError('closed', 'the client was closed', { retryable: false }));
    }
    this.#marks.clear();
  }

  async #send(conversationId: string, mark: Mark<Position>): Promise<void> {
    const { waiters } = mark;
    mark.waiters = [];
    try {
      const position = await this.#put(conversationId, mark.seq);
      for (const { resolve } of waiters) resolve(position);
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
    if (this.#marks.get(conversationId) !== mark) return;
    mark.cancelPause = this.#clock.after(this.#everyMs, () => {
      if (mark.waiters.length > 0) void this.#send(conversationId, mark);
      else this.#marks.delete(conversationId);
    });
  }
}
