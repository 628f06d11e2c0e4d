import { once } from 'node:events';
import { type Child, forkScript } from '../process.ts';
import type { Answer, OperationName, Request } from './protocol.ts';

/** A load process as the bench holds it: one operation at a time. */
export class LoadProcess implements AsyncDisposable {
  readonly #child: Child = forkScript('./load/main.ts');
  readonly #ended = once(this.#child.process, 'exit').then(() => {
    throw new Error('the load process ended');
  });

  constructor() {
    // Heard by whoever waits for an answer.
    this.#ended.catch(() => undefined);
  }

  /** Runs one operation over there; rejects with its error. */
  async run<Name extends OperationName>(name: Name, request: Request<Name>): Promise<Answer<Name>> {
    const answered = once(this.#child.process, 'message');
    this.#child.process.send({ name, request });
    const [{ answer, error }] = (await Promise.race([answered, this.#ended])) as [{ answer: Answer<Name>; error?: string }];
    if (error !== undefined) throw new Error(`load process: ${error}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
