import type { Standing } from './watched-conversation.ts';

/** A user in a conversation of an app. */
export interface MemberOf {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
}

/** Membership as the primary has it. */
export interface MembershipSource {
  /** One answer per pair, in order; `undefined` for whoever is no present member (or in another app's conversation). */
  standings(pairs: readonly MemberOf[]): Promise<readonly (Standing | undefined)[]>;
  /** Membership versions of the conversations that exist, in one statement. */
  versions(conversationIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

interface Waiting {
  readonly pairs: readonly MemberOf[];
  readonly resolve: (standings: readonly (Standing | undefined)[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the questions that arrive while one is being answered into the next one, so that a storm of `watch` costs statements of many
 * pairs instead of many statements. A question never joins a statement that began before it was asked.
 */
export class MembershipBatcher {
  readonly #source: MembershipSource;
  readonly #maxPairs: number;
  #waiting: Waiting[] = [];
  #running = false;

  constructor(source: MembershipSource, maxPairs = 1_000) {
    this.#source = source;
    this.#maxPairs = maxPairs;
  }

  standings(pairs: readonly MemberOf[]): Promise<readonly (Standing | undefined)[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pairs, resolve, reject });
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
        const answers = await this.#source.standings(batch.flatMap((question) => question.pairs));
        let from = 0;
        for (const { pairs, resolve } of batch) {
          resolve(answers.slice(from, from + pairs.length));
          from += pairs.length;
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  #next(): Waiting[] {
    let pairs = 0;
    let taken = 0;
    for (const question of this.#waiting) {
      if (taken > 0 && pairs + question.pairs.length > this.#maxPairs) break;
      pairs += question.pairs.length;
      taken++;
    }
    return this.#waiting.splice(0, taken);
  }
}
