import { type HttpClient, httpClient, type Reply, sent } from '../../protocol/support/http.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Group } from './fleet.ts';
import type { Stack } from './stack.ts';

/** A send that was acknowledged. */
export interface Acked {
  readonly conversationId: string;
  readonly userId: string;
  readonly clientMsgId: string;
  readonly text: string;
  readonly seq: number;
}

export interface LoadOptions {
  readonly lanes?: number;
  /** Begins every `clientMsgId`. */
  readonly name?: string;
}

/**
 * Lanes that send one message after the other, each until it is acknowledged, always under the same id, pull what was acknowledged with
 * `min`, and then the newest page without: whoever answers that has to know of it too. What they were answered is kept.
 */
export class Load {
  readonly acked: Acked[] = [];
  /** Failed answers by route, status and code. */
  readonly refusals = new Map<string, number>();
  /** Times a send and a pull took until their success, ms. */
  readonly sendMs: number[] = [];
  readonly pullMs: number[] = [];
  readonly newestMs: number[] = [];
  /** Pulls that answered with less than they were asked for or than one before them, or anything else that must never be. */
  readonly breaches: string[] = [];
  /** Requests that got no answer at all. */
  lost = 0;
  #stopped = false;
  readonly #http: HttpClient;
  readonly #token: (userId: string) => string;
  readonly #lanes: Promise<void>[];

  constructor(stack: Pick<Stack, 'url' | 'app'>, groups: readonly Group[], { lanes = 4, name = 'load' }: LoadOptions = {}) {
    this.#http = httpClient(stack.url);
    const tokens = new Map<string, string>();
    this.#token = (userId) => {
      const token = tokens.get(userId) ?? stack.app.token(userId);
      tokens.set(userId, token);
      return token;
    };
    this.#lanes = Array.from({ length: lanes }, (_, lane) => this.#run(groups, lane, name));
  }

  get pulls(): number {
    return this.pullMs.length;
  }

  /** Ends the lanes, each after what it is at; rejects when a contract was broken. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  /** Waits until so many more sends were acknowledged and pulls answered. */
  async progress(more: number, timeoutMs = 60_000): Promise<void> {
    const [sends, pulls] = [this.acked.length + more, this.pulls + more];
    await waitFor(`${more} more sends and pulls`, () => this.acked.length >= sends && this.pulls >= pulls, { timeoutMs });
  }

  async #run(groups: readonly Group[], lane: number, name: string): Promise<void> {
    const heads = new Map<string, number>();
    for (let n = 0; !this.#stopped; n += 1) {
      const group = groups[(lane + n) % groups.length];
      const userId = group?.users[(lane + n) % group.users.length];
      if (group === undefined || userId === undefined) throw new Error('nobody to send');
      const clientMsgId = `${name}-${lane}-${n}`;
      const text = `text of ${clientMsgId}`;
      const params = { conversationId: group.id };
      const token = this.#token(userId);
      const reply = await this.#untilAnswered(this.sendMs, 'sendMessage', () =>
        this.#http.call('sendMessage', { token, params, body: { clientMsgId, body: { text } } }),
      );
      if (reply === undefined) return;
      const { seq } = sent(reply);
      this.acked.push({ conversationId: group.id, userId, clientMsgId, text, seq });
      const page = await this.#untilAnswered(this.pullMs, 'listEntries', () =>
        this.#http.call('listEntries', { token, params, query: { after: seq - 1, min: seq, limit: 1 } }),
      );
      const entry = page?.ok(200).entries[0];
      if (page !== undefined && (entry?.seq !== seq || entry.clientMsgId !== clientMsgId))
        this.breaches.push(`a pull with min ${seq} answered ${JSON.stringify(entry)?.slice(0, 200)}`);
      const newest = await this.#untilAnswered(this.newestMs, 'listEntries', () =>
        this.#http.call('listEntries', { token, params, query: { limit: 1 } }),
      );
      for (const { head, entries } of [page, newest].flatMap((reply) => (reply === undefined ? [] : [reply.ok(200)]))) {
        const before = Math.max(seq, heads.get(group.id) ?? 0);
        if (head < before) this.breaches.push(`a pull answered head ${head} after ${before} was known`);
        if ((entries.at(-1)?.seq ?? 0) < seq) this.breaches.push(`a pull after ${seq} was acknowledged ends at ${entries.at(-1)?.seq}`);
        heads.set(group.id, Math.max(before, head));
      }
    }
  }

  /** Repeats a request until it succeeds; undefined when the load ends before. */
  async #untilAnswered<R extends Reply<'sendMessage'> | Reply<'listEntries'>>(
    times: number[],
    route: string,
    call: () => Promise<R>,
  ): Promise<R | undefined> {
    const began = performance.now();
    for (;;) {
      try {
        const reply = await call();
        if (reply.status < 300) {
          times.push(performance.now() - began);
          return reply;
        }
        const { code = '' } = reply.json as { readonly code?: string };
        const kind = `${route} ${reply.status} ${code}`;
        this.refusals.set(kind, (this.refusals.get(kind) ?? 0) + 1);
        // Only what may be repeated may happen at all.
        if (reply.status !== 503 && reply.status !== 429) throw new Error(`${kind}: ${reply.text.slice(0, 300)}`);
      } catch (error) {
        // Only a connection that broke is a lost answer; one that breaks the contract is a failure.
        if (!(error instanceof TypeError)) throw error;
        this.lost += 1;
      }
      if (this.#stopped) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The value below which a share of them lies; 0 for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
