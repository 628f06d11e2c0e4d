import { type Clock, type Logger, NudgeError } from '@nudge/server-kit';
import type { Job, PgBoss } from 'pg-boss';
import { z } from 'zod';
import { createBoss, PERIODIC } from './boss.ts';
import type { Jobs, PeriodicName, QueueName, WaitingJob } from './jobs.ts';
import { Loop } from './loop.ts';
import { queueNames } from './migrate-jobs.ts';

/** Waiting jobs worked on at the same time by one process. */
const BATCH = 16;

/** The library's own upkeep: jobs whose process died are given to another, finished ones are deleted. */
const UPKEEP = 'jobs-upkeep';
const UPKEEP_SECONDS = 60;

/** Between attempts to reach the tables, ms. */
const REST_MS = 5_000;

const periodicSchema = z.object({ name: z.string() });

interface Periodic {
  readonly ms: number;
  readonly run: (boss: PgBoss) => Promise<void>;
  /** When this process next asks for it, ms since 1970. */
  next: number;
}

export interface PgBossJobsOptions {
  readonly connectionString: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often waiting jobs are looked for, ms. */
  readonly pollMs: number;
}

/**
 * Jobs in PostgreSQL, by the library pg-boss on connections of its own. A process asks for every periodic job at its times; the time slot
 * is unique in the table, so one asks with success, and one process takes it. A waiting job is locked by who takes it.
 */
export class PgBossJobs implements Jobs {
  readonly #options: PgBossJobsOptions;
  readonly #periodic = new Map<string, Periodic>();
  readonly #handlers = new Map<QueueName, (data: unknown) => Promise<void>>();
  readonly #loops: Loop[] = [];
  readonly #closing = new AbortController();
  #boss: PgBoss | undefined;
  #opening: Promise<PgBoss | undefined> | undefined;
  #nextAttempt = 0;

  constructor(options: PgBossJobsOptions) {
    this.#options = options;
    this.#add(UPKEEP_SECONDS, UPKEEP, (boss) => boss.supervise());
  }

  get isReady(): boolean {
    return this.#boss !== undefined;
  }

  every(seconds: number, name: PeriodicName, run: (signal: AbortSignal) => Promise<void>): void {
    this.#add(seconds, name, () => run(this.#closing.signal));
  }

  handle(queue: QueueName, run: (data: unknown) => Promise<void>): void {
    this.#handlers.set(queue, run);
  }

  async enqueue(queue: QueueName, { id, data, at }: WaitingJob): Promise<void> {
    const boss = await this.#open();
    if (boss === undefined) throw new Error('the tables of the jobs cannot be reached');
    await boss.send(queue, data, { id, startAfter: at });
  }

  async forget(queue: QueueName, id: string): Promise<void> {
    await this.#boss?.deleteJob(queue, id);
  }

  async start(): Promise<void> {
    await this.#open();
    const { clock, log, pollMs } = this.#options;
    const onError = (error: unknown): void => log.warn({ err: error }, 'background jobs could not be looked for');
    const begin = (pass: () => Promise<number>): void => {
      const loop = new Loop({ pass, onError, restMs: REST_MS, clock });
      this.#loops.push(loop);
      loop.start();
    };
    begin(() => this.#passPeriodic());
    for (const [queue, run] of this.#handlers) begin(() => this.#passWaiting(queue, run, pollMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#loops.map((loop) => loop[Symbol.asyncDispose]()));
    await this.#opening;
    const boss = this.#boss;
    this.#boss = undefined;
    await boss?.stop({ graceful: false });
  }

  #add(seconds: number, name: string, run: Periodic['run']): void {
    this.#periodic.set(name, { ms: seconds * 1_000, run, next: 0 });
  }

  /** Asks for what is due, does what this process gets, answers when the next is due. */
  async #passPeriodic(): Promise<number> {
    const boss = await this.#open();
    if (boss === undefined) return REST_MS;
    const { clock } = this.#options;
    for (const [name, periodic] of this.#periodic) {
      if (clock.now() < periodic.next) continue;
      periodic.next = clock.now() + periodic.ms;
      await boss.send(PERIODIC, { name }, { singletonKey: name, singletonSeconds: periodic.ms / 1_000 });
    }
    const jobs = await boss.fetch<unknown>(PERIODIC, { batchSize: this.#periodic.size });
    await Promise.all(
      jobs.map((job) => this.#run(boss, job, async () => this.#periodic.get(periodicSchema.parse(job.data).name)?.run(boss))),
    );
    const next = Math.min(...[...this.#periodic.values()].map((periodic) => periodic.next));
    return Math.max(0, next - clock.now());
  }

  async #passWaiting(queue: QueueName, run: (data: unknown) => Promise<void>, pollMs: number): Promise<number> {
    const boss = await this.#open();
    if (boss === undefined) return REST_MS;
    const jobs = await boss.fetch<unknown>(queue, { batchSize: BATCH });
    await Promise.all(jobs.map((job) => this.#run(boss, job, () => run(job.data))));
    return jobs.length === BATCH ? 0 : pollMs;
  }

  async #run(boss: PgBoss, job: Job<unknown>, work: () => Promise<void>): Promise<void> {
    const { log } = this.#options;
    const attempt = { id: job.id, retryCount: job.retryCount };
    try {
      await work();
    } catch (error) {
      const about = { queue: job.name, job: job.id, attempt: job.retryCount };
      // A refusal that ends by itself, such as slow mode, is no fault of anyone's.
      if (error instanceof NudgeError && error.retryable) log.info({ ...about, code: error.code }, 'a background job will be tried again');
      else log.warn({ err: error, ...about }, 'a background job failed');
      // The reason is in the log; an error's text may quote what must not be stored.
      await boss.fail(job.name, attempt);
      return;
    }
    await boss.complete(job.name, attempt);
  }

  /** The library on its tables, once they can be used; `undefined` until then. */
  #open(): Promise<PgBoss | undefined> {
    if (this.#boss !== undefined || this.#closing.signal.aborted) return Promise.resolve(this.#boss);
    if (this.#opening === undefined) {
      if (this.#options.clock.now() < this.#nextAttempt) return Promise.resolve(undefined);
      this.#opening = this.#attempt().finally(() => {
        this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  async #attempt(): Promise<PgBoss | undefined> {
    const { connectionString, clock, log } = this.#options;
    const boss = createBoss(connectionString);
    boss.on('error', (error) => log.warn({ err: error }, 'background jobs: the database could not be used'));
    boss.on('warning', ({ message }) => log.warn({ warning: message }, 'background jobs'));
    try {
      await boss.start();
      const found = await boss.getQueues([...queueNames]);
      if (found.length < queueNames.length) throw new Error('a queue is missing');
      this.#boss = boss;
      return boss;
    } catch (error) {
      this.#nextAttempt = clock.now() + REST_MS;
      await boss.stop({ graceful: false });
      if (isFromDatabase(error)) log.warn({ err: error }, 'background jobs: the database cannot be reached');
      else log.error({ err: error }, 'background jobs: their tables are missing or of another version; run `npm run db:migrate`');
      return undefined;
    }
  }
}

/** Errors of the server and of the connection carry a code; what the library says of its own tables does not. */
function isFromDatabase(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code !== 'ERR_ASSERTION';
}
