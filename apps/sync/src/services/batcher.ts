import type { Clock } from '@nudge/server-kit';
import { within } from './waiting.ts';

/** Work handed to a {@link Batcher}: the answer to come, and the batch that carries the question. */
export interface Ticket<Answer> {
  readonly answer: Promise<Answer>;
  /** Tick of the batch; 0 while the question still waits. */
  readonly sentAt: number;
}

interface Waiting<Question, Answer> {
  readonly question: Question;
  readonly answer: Promise<Answer>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (cause: unknown) => void;
  sentAt: number;
}

/** What a {@link Batcher} needs. `send` answers in the order of the questions; `tick` numbers the batches as they leave. */
export interface BatcherOptions<Question, Answer> {
  readonly send: (questions: readonly Question[], tick: number) => Promise<readonly Answer[]>;
  readonly tick: () => number;
  readonly maxQuestions: number;
  readonly maxInFlight: number;
  readonly clock: Clock;
  /** A batch that takes longer is given up, ms: nobody waits for it any more, and on a connection that hangs it would never end. */
  readonly deadlineMs: number;
}

/**
 * Puts concurrent questions into one statement. There is no timer: what comes up within one turn of the event loop leaves together,
 * and what arrives while `maxInFlight` batches are under way leaves with the next.
 */
export class Batcher<Question, Answer> {
  readonly #options: BatcherOptions<Question, Answer>;
  #waiting: Waiting<Question, Answer>[] = [];
  #inFlight = 0;
  #armed = false;

  constructor(options: BatcherOptions<Question, Answer>) {
    this.#options = options;
  }

  /** Asks. The ticket tells later with which batch the question left. A failed batch fails all its tickets. */
  ask(question: Question): Ticket<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const ticket: Waiting<Question, Answer> = { question, answer: promise, resolve, reject, sentAt: 0 };
    this.#waiting.push(ticket);
    this.#arm();
    return ticket;
  }

  #arm(): void {
    if (this.#armed || this.#waiting.length === 0 || this.#inFlight >= this.#options.maxInFlight) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      void this.#depart();
    });
  }

  async #depart(): Promise<void> {
    const batch = this.#waiting.slice(0, this.#options.maxQuestions);
    this.#waiting = this.#waiting.slice(batch.length);
    const tick = this.#options.tick();
    for (const ticket of batch) ticket.sentAt = tick;
    this.#inFlight += 1;
    this.#arm();
    try {
      const questions = batch.map((ticket) => ticket.question);
      const answers = await within(this.#options.send(questions, tick), { clock: this.#options.clock, ms: this.#options.deadlineMs });
      if (answers.length !== batch.length) throw new Error(`${answers.length} answers to ${batch.length} questions`);
      for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer);
    } catch (cause) {
      for (const ticket of batch) ticket.reject(cause);
    }
    this.#inFlight -= 1;
    this.#arm();
  }
}
