/** A job that waits. */
export interface WaitingJob {
  /** UUID: a second job with the same id is not made. */
  readonly id: string;
  /** JSON; nothing that a log must not hold. */
  readonly data: object;
  readonly at: Date;
}

/** Work in the background, kept in the database: what is due is done by one of all processes, whichever comes first. */
export interface Jobs extends AsyncDisposable {
  /**
   * Runs `run` in one of all processes every `seconds`. To be called before `start`. `signal` aborts when the process stops: what has
   * begun is finished, and the rest is left to the next time.
   */
  every(seconds: number, name: PeriodicName, run: JobRun<AbortSignal>): void;
  /** What a waiting job of this queue does; one that rejects is tried again, later and later, for ever. To be called before `start`. */
  handle(queue: QueueName, run: JobRun<unknown>): void;
  /** Puts a job off. Rejects when that could not be kept. */
  enqueue(queue: QueueName, job: WaitingJob): Promise<void>;
  /** Takes back a job that waits; nothing happens when there is none. */
  forget(queue: QueueName, id: string): Promise<void>;
  /** Begins to work. Does not reject: while its tables are missing or cannot be reached it tries again, and is not ready. */
  start(): Promise<void>;
  readonly isReady: boolean;
}

type JobRun<Input> = (input: Input) => Promise<void>;

/** Queues of waiting jobs. */
export type QueueName = 'scheduled';

/** What is done again and again. */
export type PeriodicName = 'expiry' | 'retention' | 'scheduled-sweep';

/** When what is looked after. */
export interface JobsConfig {
  /** How often waiting jobs are looked for, ms. */
  readonly pollMs: number;
  readonly expirySeconds: number;
  readonly retentionSeconds: number;
  /** How often overdue messages are looked for whose job got lost, and how long overdue those are, ms. */
  readonly sweepSeconds: number;
  readonly sweepAgeMs: number;
}

export const defaultJobs: JobsConfig = { pollMs: 2_000, expirySeconds: 5, retentionSeconds: 60, sweepSeconds: 30, sweepAgeMs: 30_000 };
