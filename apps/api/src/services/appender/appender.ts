import { randomUUID } from 'node:crypto';
import type { Router, Tracer } from '@nudge/server-kit';
import { conversationLog, isContentType, type Limits } from '@nudge/types';
import type { AppendInput, AppendResult, ConversationStore } from '../../store/conversation-store.ts';
import type { CallFailure } from '../batching/batcher.ts';
import { DatabaseBatchers } from '../batching/database-batchers.ts';
import type { Failpoints } from '../failpoints.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import { newsOf } from './news.ts';

/** An input with what its success has to be told to others. */
export interface AppendWork extends AppendInput {
  /** Users to be told at once, past the pace of the conversation. */
  readonly mentions?: readonly string[];
  /** Whose membership a `member.*` operation is about. */
  readonly memberId?: string;
  /** Of the request that brought it; set by the appender. */
  readonly traceparent?: string;
}

/** A judged input. */
export interface Appended extends AppendResult {
  /** Of a change of memberships: resolves when the feeds of the members have been written. */
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
  readonly tracer: Tracer;
}

/**
 * Appends to conversations: concurrent inputs become few calls of the append function, at most two in flight for each database. After the
 * commit the caller is answered and the news published; neither waits for the other.
 */
export class Appender {
  readonly #options: AppenderOptions;
  readonly #batchers: DatabaseBatchers<ConversationStore, AppendWork, Appended>;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#batchers = new DatabaseBatchers({
      ...options,
      standsAlone: (input) => !isContentType(input.type),
      isRepeat: (result) => result.status === 'repeat',
      call: (store, inputs) => this.#callTraced(store, inputs),
    });
  }

  /** The input's own result. Rejects with `overloaded` or `database_unavailable`; after the latter the outcome is not known. */
  append(work: AppendWork): Promise<Appended> {
    const traceparent = this.#options.tracer.current();
    return this.#batchers.add(traceparent === undefined ? work : { ...work, traceparent });
  }

  /** Inputs not answered yet. */
  get unanswered(): number {
    return this.#batchers.unanswered;
  }

  /** Resolves when every input given so far has been answered. */
  idle(): Promise<void> {
    return this.#batchers.idle();
  }

  /** One span for the call, in the trace of the newest input; the others are linked. */
  #callTraced(store: ConversationStore, inputs: readonly AppendWork[]): Promise<readonly Appended[]> {
    if (!this.#options.tracer.enabled) return this.#call(store, inputs);
    const [parent, ...links] = inputs.flatMap(({ traceparent }) => traceparent ?? []).reverse();
    if (parent === undefined) return this.#call(store, inputs);
    const attributes = { 'nudge.inputs': inputs.length };
    return this.#options.tracer.span('append', { parent, links, attributes }, () => this.#call(store, inputs));
  }

  /** By what their keys will find the traces of their sends. */
  #remember(inputs: readonly AppendWork[], results: readonly AppendResult[]): void {
    const { tracer } = this.#options;
    if (!tracer.enabled) return;
    const newest = inputs.findLast(({ traceparent }) => traceparent !== undefined);
    if (newest === undefined) return;
    for (const [index, { seq }] of results.entries()) {
      const input = inputs[index];
      const parent = input === newest ? tracer.current() : input?.traceparent;
      if (input !== undefined && parent !== undefined && seq !== null) tracer.remember(conversationLog(input.conversationId), seq, parent);
    }
  }

  async #call(store: ConversationStore, inputs: readonly AppendWork[]): Promise<readonly Appended[]> {
    const { effects, failpoints } = this.#options;
    const route = inputs[0]?.conversationId ?? '';
    const outboxId = randomUUID();
    failpoints.hit('before-append');
    const results = await store.append({ route, outboxId, inputs });
    this.#remember(inputs, results);
    const news = newsOf(inputs, results);
    if (news === undefined) return results;
    failpoints.hit('after-commit');
    const row = { conversationId: route, id: outboxId };
    if (news.members === undefined) {
      effects.settleAfterAnswers(row, news);
      return results;
    }
    const applied = effects.settle(row, news);
    return results.map((result) => (result.status === 'ok' && result.touched.length > 0 ? { ...result, applied } : result));
  }
}
