interface Waiting<Question, Answer> {
  readonly questions: readonly Question[];
  readonly resolve: (answers: readonly Answer[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the questions that arrive while others are being answered into the next statement, so that a storm of them costs few statements
 * of many questions. A question never joins a statement that began before it was asked.
 */
export class QuestionBatcher<Question, Answer> {
  readonly #ask: (questions: readonly Question[]) => Promise<readonly Answer[]>;
  readonly #max: number;
  #waiting: Waiting<Question, Answer>[] = [];
  #running = false;

  /** `ask` answers each question, in order; it is given about `max` of them at a time. */
  constructor(ask: (questions: readonly Question[]) => Promise<readonly Answer[]>, max = 1_000) {
    this.#ask = ask;
    this.#max = max;
  }

  /** One answer per question, in order; rejects when the statement fails. */
  ask(questions: readonly Question[]): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ questions, resolve, reject });
      if (this.#running) return;
      this.#running = true;
      queueMicrotask(() => void this.#run());
    });
  }

  /** Never rejects: a failed statement fails the questions in it. */
  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      try {
        const answers = await this.#ask(batch.flatMap((waiting) => waiting.questions));
        let from = 0;
        for (const { questions, resolve } of batch) {
          resolve(answers.slice(from, from + questions.length));
          from += questions.length;
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  #next(): Waiting<Question, Answer>[] {
    let size = 0;
    let taken = 0;
    for (const { questions } of this.#waiting) {
      if (taken > 0 && size + questions.length > this.#max) break;
      size += questions.length;
      taken++;
    }
    return this.#waiting.splice(0, taken);
  }
}
