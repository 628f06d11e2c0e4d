import type { Clock, Logger } from '@nudge/server-kit';
import type { ConversationStore, Lease, OutboxRow } from '../../store/conversation-store.ts';
import type { EffectRunner } from '../outbox/effects.ts';
import { effectsOfRow } from '../outbox/payload.ts';
import type { MemberCache } from '../publisher/member-cache.ts';

/** Rows read at a time, and rows worked on at a time. */
const PAGE = 200;
const WORKERS = 16;

export interface SweeperOptions {
  readonly store: Pick<ConversationStore, 'dueOutbox' | 'deleteOutbox' | 'deferOutbox' | 'sweeperLease'>;
  readonly effects: Pick<EffectRunner, 'perform'>;
  readonly members: Pick<MemberCache, 'refresh'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'info'>;
  /** Between two passes, ms. */
  readonly intervalMs: number;
  /** Rows younger than this are still being worked on by whoever wrote them, ms. */
  readonly ageMs: number;
  /** After so long a row is put aside for later, ms. */
  readonly rowTimeoutMs: number;
}

/**
 * Does again what a crash, a lost bus or a lost connection left undone: reads outbox rows past their age, announces and writes what they
 * stand for, deletes them. Every step may be done twice. One instance sweeps at a time; a row that fails comes back later and later and
 * never delays younger ones.
 */
export class Sweeper implements AsyncDisposable {
  readonly #options: SweeperOptions;
  #lease: Lease | null = null;
  #cancel: (() => void) | undefined;
  #pass: Promise<void> | undefined;
  #closed = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#pass = this.sweep()
        .then(() => undefined)
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'the outbox could not be swept'))
        .finally(() => this.start());
    });
  }

  /** One pass over everything that is due. Answers how many rows were finished; 0 also when another instance holds the lease. */
  async sweep(): Promise<number> {
    if (!(await this.#holdLease())) return 0;
    const { store, ageMs, log } = this.#options;
    let finished = 0;
    while (!this.#closed) {
      const rows = await store.dueOutbox(ageMs, PAGE);
      const failed = await this.#work(rows);
      const done = rows.filter((row) => !failed.has(row));
      // Failed rows are put aside before anything else is read, so that the next page is made of others.
      if (failed.size > 0) await store.deferOutbox([...failed]);
      if (done.length > 0) await store.deleteOutbox(done);
      finished += done.length;
      if (rows.length < PAGE) break;
    }
    if (finished > 0) log.info({ rows: finished }, 'outbox rows were swept');
    return finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#pass;
    await this.#lease?.[Symbol.asyncDispose]();
    this.#lease = null;
  }

  async #holdLease(): Promise<boolean> {
    if (this.#lease !== null && !this.#lease.lost.aborted) return true;
    await this.#lease?.[Symbol.asyncDispose]();
    this.#lease = null;
    this.#lease = await this.#options.store.sweeperLease();
    return this.#lease !== null;
  }

  /** Works on the rows; answers those that could not be finished. */
  async #work(rows: readonly OutboxRow[]): Promise<Set<OutboxRow>> {
    const failed = new Set<OutboxRow>();
    const versions = new Map<string, Promise<number>>();
    const queue = rows.values();
    const worker = async (): Promise<void> => {
      for (const row of queue) {
        try {
          await this.#withinTime(this.#perform(row, versions));
        } catch (error) {
          failed.add(row);
          this.#options.log.warn({ err: error, conversationId: row.conversationId, attempts: row.attempts }, 'an outbox row is put aside');
        }
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    return failed;
  }

  async #perform(row: OutboxRow, versions: Map<string, Promise<number>>): Promise<void> {
    const found = effectsOfRow(row);
    const heads = await Promise.all(
      found.heads.map(async (head) => ({
        ...head,
        memberVersion: await this.#versionOf(head.conversationId, versions),
      })),
    );
    const { applied, done } = this.#options.effects.perform({ ...found, heads });
    await Promise.all([applied, done]);
  }

  /** Reads the members once in a pass, however many rows the conversation has. */
  #versionOf(conversationId: string, versions: Map<string, Promise<number>>): Promise<number> {
    let version = versions.get(conversationId);
    if (version === undefined) {
      version = this.#options.members.refresh(conversationId).then((recipients) => recipients.memberVersion);
      versions.set(conversationId, version);
    }
    return version;
  }

  async #withinTime(work: Promise<void>): Promise<void> {
    const { clock, rowTimeoutMs } = this.#options;
    const { promise: timeout, reject } = Promise.withResolvers<never>();
    const cancel = clock.after(rowTimeoutMs, () => reject(new Error(`not finished within ${rowTimeoutMs} ms`)));
    try {
      await Promise.race([work, timeout]);
    } finally {
      cancel();
    }
  }
}
