import { setTimeout as delay } from 'node:timers/promises';
import type { PostgresLog } from './log.ts';
import type { ServerExit, ServerProcess, StopDeadlines } from './server-process.ts';

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;
/** A server that lived this long was healthy: the next crash starts with the shortest backoff again. */
const HEALTHY_AFTER_MS = 10_000;

export interface SupervisorOptions {
  /** Starts a server and resolves when it takes connections; leaves nothing running when it rejects. */
  readonly launch: (signal: AbortSignal) => Promise<ServerProcess>;
  readonly log: PostgresLog;
  /** The server ended without having been asked to. Connections fail until `onUp`. */
  readonly onDown: ((exit: ServerExit) => void) | undefined;
  /** A server that had gone down takes connections again, on the same port. */
  readonly onUp: ((pid: number) => void) | undefined;
}

/** Keeps one server running: starts it again whenever it ends by itself, for ever, with backoff. */
export class SupervisedServer {
  readonly #options: SupervisorOptions;
  readonly #stopping = new AbortController();
  #server: ServerProcess;
  #restarts = 0;
  #recovery: Promise<void> = Promise.resolve();

  private constructor(options: SupervisorOptions, server: ServerProcess) {
    this.#options = options;
    this.#server = server;
    this.#watch(server);
  }

  /** Rejects when the first start fails: only a server that has run once is started again. */
  static async start(options: SupervisorOptions): Promise<SupervisedServer> {
    return new SupervisedServer(options, await options.launch(new AbortController().signal));
  }

  /** Pid of the latest server process. */
  get pid(): number {
    return this.#server.pid;
  }

  async stop(deadlines: StopDeadlines): Promise<void> {
    this.#stopping.abort();
    await this.#recovery;
    await this.#server.stop(deadlines);
  }

  #watch(server: ServerProcess): void {
    const startedAt = performance.now();
    void server.exited.then((exit) => {
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - startedAt > HEALTHY_AFTER_MS) this.#restarts = 0;
      this.#options.log.error({ serverPid: server.pid, ...exit }, 'PostgreSQL ended unexpectedly');
      this.#options.onDown?.(exit);
      this.#recovery = this.#recover(this.#stopping.signal);
    });
  }

  async #recover(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** this.#restarts, LONGEST_BACKOFF_MS);
      this.#restarts += 1;
      try {
        await delay(backoffMs, undefined, { signal });
        const server = await this.#options.launch(signal);
        this.#server = server;
        this.#watch(server);
        this.#options.log.warn({ serverPid: server.pid }, 'PostgreSQL is back');
        this.#options.onUp?.(server.pid);
        return;
      } catch (error) {
        if (!signal.aborted) this.#options.log.error({ err: error }, 'PostgreSQL could not be restarted');
      }
    }
  }
}
