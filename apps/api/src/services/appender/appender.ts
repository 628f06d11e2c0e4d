import { randomUUID } from 'node:crypto';
import type { Router } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { AppendInput, AppendResult, ConversationStore } from '../../store/conversation-store.ts';
import { Batcher, type CallFailure } from '../batching/batcher.ts';
import type { Failpoints } from '../failpoints.ts';
import type { EffectRunner, Effects } from '../outbox/effects.ts';
import type { HeadChange } from '../publisher/publisher.ts';

/** An input with the user whose membership it changes, if it does. */
export interface AppendWork extends AppendInput {
  readonly memberId: string | null;
}

/** A judged input. */
export interface Appended extends AppendResult {
  /** Of a change of membership: resolves when the feed of the member has been written. */
  readonly applied?: Promise<void>;
}

export interface AppenderOptions {
  readonly router: Router<ConversationStore>;
  readonly effects: EffectRunner;
  readonly classify: (error: unknown) => CallFailure;
  readonly limits: Pick<Limits, 'appendQueue'>;
  readonly failpoints: Failpoints;
  /** Inputs in one call. */
  readonly maxBatch: number;
}

/**
 * Appends to conversations: concurrent inputs become few calls of the append function, at most two in flight for each database. After the
 * commit the caller is answered and the news published; neither waits for the other.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #batchers = new Map<string, Batcher<AppendWork, Appended>>();

  constructor(options: AppenderOptions) {
    this.#options = options;
  }

  /** The input's own result. Rejects with `overloaded` or `database_unavailable`; after the latter the outcome is not known. */
  append(work: AppendWork): Promise<Appended> {
    const { pool, group } = this.#options.router.route(work.conversationId);
    let batcher = this.#batchers.get(group);
    if (batcher === undefined) {
      batcher = this.#batcher(pool);
      this.#batchers.set(group, batcher);
    }
    return batcher.add(work);
  }

  /** Inputs not answered yet. */
  get unanswered(): number {
    let sum = 0;
    for (const batcher of this.#batchers.values()) sum += batcher.unanswered;
    return sum;
  }

  /** Resolves when every input given so far has been answered. */
  async idle(): Promise<void> {
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.idle()));
  }

  #batcher(store: ConversationStore): Batcher<AppendWork, Appended> {
    const { classify, limits, maxBatch } = this.#options;
    return new Batcher<AppendWork, Appended>({
      call: (inputs) => this.#call(store, inputs),
      appOf: (input) => input.appId,
      // An app that names another's conversation waits in a lane of its own, not in theirs.
      conversationOf: (input) => `${input.appId}/${input.conversationId}`,
      standsAlone: (input) => input.type !== 'message',
      isRepeat: (result) => result.status === 'repeat',
      classify,
      maxBatch,
      maxInFlight: 2,
      worthwhile: 16,
      patienceMs: 25,
      now: () => performance.now(),
      capacity: limits.appendQueue,
      maxTimeouts: 3,
      defer: setImmediate,
    });
  }

  async #call(store: ConversationStore, inputs: readonly AppendWork[]): Promise<readonly Appended[]> {
    const { effects, failpoints } = this.#options;
    const route = inputs[0]?.conversationId ?? '';
    const outboxId = randomUUID();
    failpoints.hit('before-append');
    const results = await store.append({ route, outboxId, inputs });
    const news = effectsOf(inputs, results);
    if (news === undefined) return results;
    failpoints.hit('after-commit');
    const row = { conversationId: route, id: outboxId };
    if (news.members === undefined) {
      effects.settleAfterAnswers(row, news);
      return results;
    }
    const applied = effects.settle(row, news);
    return results.map((result, index) => (result.status === 'ok' && inputs[index]?.memberId ? { ...result, applied } : result));
  }
}

/** What follows from a committed call; `undefined` when it appended nothing. */
function effectsOf(inputs: readonly AppendWork[], results: readonly AppendResult[]): Effects | undefined {
  const heads = new Map<string, HeadChange>();
  const members: { appId: string; conversationId: string; userId: string }[] = [];
  results.forEach((result, index) => {
    const input = inputs[index];
    if (input === undefined || result.status !== 'ok' || result.seq === null || result.memberVersion === null) return;
    const { appId, conversationId, memberId } = input;
    const membersChanged = memberId !== null;
    const known = heads.get(conversationId);
    if (known === undefined || known.seq < result.seq) {
      heads.set(conversationId, {
        appId,
        conversationId,
        seq: result.seq,
        memberVersion: result.memberVersion,
        membersChanged,
      });
    }
    if (membersChanged) members.push({ appId, conversationId, userId: memberId });
  });
  if (heads.size === 0) return undefined;
  return { heads: [...heads.values()], ...(members.length === 0 ? {} : { members }) };
}
