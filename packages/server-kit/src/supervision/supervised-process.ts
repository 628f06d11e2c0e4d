import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../config.ts';
import { guardAgainstOrphaning } from './orphan-guard.ts';

const pollMs = 50;
const firstBackoffMs = 200;
const longestBackoffMs = 10_000;
/** A process that served this long was healthy: the next crash starts with the shortest backoff again, ms. */
const healthyAfterMs = 10_000;
const rememberedLines = 20;

/** `serving`: its check has passed since it started. */
export type ProcessState = 'starting' | 'serving' | 'down' | 'stopping' | 'stopped';

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What happened to a supervised process. */
export type ProcessEvent =
  | { readonly type: 'serving'; readonly pid: number; readonly again: boolean }
  | { readonly type: 'ended'; readonly pid: number; readonly end: ProcessEnd; readonly restartInMs: number }
  | { readonly type: 'failed'; readonly error: Error; readonly restartInMs: number };

export interface SupervisedProcessOptions {
  /** What people call it. */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Its whole environment. */
  readonly env: Environment;
  /** Whether it serves. Asked until it does; a rejection is a no. */
  readonly check: () => Promise<boolean>;
  /** How long it may take to serve, and to end after SIGTERM before it is killed, ms. */
  readonly startMs?: number;
  readonly stopMs: number;
  /** Every line of its outputs. */
  readonly onLine?: (line: string) => void;
  readonly onEvent?: (event: ProcessEvent) => void;
}

/**
 * A child process that is started again, with backoff, whenever it ends unasked. It is the leader of a session of its own, so that Ctrl-C in a
 * terminal reaches only its parent, and it is told to end when the parent dies without a word.
 */
export class SupervisedProcess implements AsyncDisposable {
  readonly name: string;
  readonly #options: SupervisedProcessOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  /** The child whose end is wanted. */
  #dismissed: ChildProcess | undefined;
  #state: ProcessState = 'starting';
  #failures = 0;
  #starts = 0;
  #recovery: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  private constructor(options: SupervisedProcessOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Resolves when it serves. Rejects, with the last lines it wrote, when it does not: only what has served once is started again. */
  static async start(options: SupervisedProcessOptions): Promise<SupervisedProcess> {
    const supervised = new SupervisedProcess(options);
    await supervised.#launch();
    return supervised;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Pid of the latest process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Times it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** Sends a signal to the present process; whatever that does to it is handled as if it had come from elsewhere. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it as an operator would, and starts it again. Resolves when it serves. */
  async restart(): Promise<void> {
    await this.#recovery;
    this.#stopping.signal.throwIfAborted();
    await this.#end('SIGTERM');
    await this.#launch();
  }

  /** Ends it for good: SIGTERM, and SIGKILL when its time is up. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error(`${this.name} is being stopped`));
    await this.#recovery;
    await this.#end('SIGTERM');
    this.#state = 'stopped';
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    this.#dismissed = child;
    this.#state = 'stopping';
    const ended = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.stopMs);
    await ended;
    clearTimeout(timer);
    this.#state = 'down';
  }

  /** Starts a process and waits until it serves; leaves nothing running when it rejects. */
  async #launch(): Promise<void> {
    const { command, env, check, startMs = 30_000, onLine, onEvent } = this.#options;
    const [program, ...args] = command;
    this.#state = 'starting';
    const child = spawn(program, args, { env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > rememberedLines) lines.shift();
        onLine?.(line);
      });
    }
    await once(child, 'spawn');
    this.#child = child;
    this.#starts++;
    const pid = child.pid ?? 0;
    const dismissGuard = guardAgainstOrphaning(pid);
    child.once('exit', () => dismissGuard());
    try {
      await this.#untilServing(child, check, startMs);
    } catch (error) {
      await this.#end('SIGKILL');
      this.#state = 'down';
      const said = lines.length === 0 ? '' : ` It said last:\n${lines.join('\n')}`;
      throw new Error(`${this.name} did not start: ${error instanceof Error ? error.message : 'unknown reason'}.${said}`, { cause: error });
    }
    this.#state = 'serving';
    const again = this.#starts > 1;
    const since = performance.now();
    const onExit = () => this.#ended(child, performance.now() - since);
    child.once('exit', onExit);
    if (hasEnded(child)) {
      child.off('exit', onExit);
      onExit();
      return;
    }
    onEvent?.({ type: 'serving', pid, again });
  }

  async #untilServing(child: ChildProcess, check: () => Promise<boolean>, startMs: number): Promise<void> {
    const deadline = performance.now() + startMs;
    for (;;) {
      if (hasEnded(child)) throw new Error(`it ended ${describeEnd(endOf(child))}`);
      this.#stopping.signal.throwIfAborted();
      if (await check().catch(() => false)) return;
      if (performance.now() > deadline) throw new Error(`it did not serve within ${startMs} ms`);
      await delay(pollMs);
    }
  }

  #ended(child: ChildProcess, servedMs: number): void {
    if (child === this.#dismissed || this.#stopping.signal.aborted) return;
    this.#state = 'down';
    if (servedMs >= healthyAfterMs) this.#failures = 0;
    const restartInMs = this.#nextBackoff();
    this.#options.onEvent?.({ type: 'ended', pid: child.pid ?? 0, end: endOf(child), restartInMs });
    this.#recovery = this.#recover(restartInMs);
  }

  async #recover(firstWaitMs: number): Promise<void> {
    const { signal } = this.#stopping;
    for (let waitMs = firstWaitMs; !signal.aborted; ) {
      try {
        await delay(waitMs, undefined, { signal });
        await this.#launch();
        return;
      } catch (error) {
        if (signal.aborted) return;
        waitMs = this.#nextBackoff();
        this.#options.onEvent?.({ type: 'failed', error: error as Error, restartInMs: waitMs });
      }
    }
  }

  #nextBackoff(): number {
    const backoffMs = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    return backoffMs;
  }
}

/** How it ended, for people: `with code 1`, `by SIGKILL`. */
export function describeEnd({ code, signal }: ProcessEnd): string {
  return signal === null ? `with code ${code}` : `by ${signal}`;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function endOf(child: ChildProcess): ProcessEnd {
  return { code: child.exitCode, signal: child.signalCode };
}
