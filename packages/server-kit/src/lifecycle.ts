import { constants } from 'node:os';
import type { Logger } from './log.ts';

export interface MainOptions {
  readonly log?: Logger;
  /** How long the process may take to end after a signal, ms. */
  readonly deadlineMs?: number;
  /**
   * A signal that comes again within this time is the same one, ms: Ctrl-C in a terminal reaches the whole process group, and npm passes on to
   * its child what it got itself.
   */
  readonly sameSignalMs?: number;
}

/**
 * The life of a process: start, wait for SIGINT or SIGTERM, dispose. Sets the exit code and lets the process end by itself; ends it at the
 * deadline and on a second signal (see {@link MainOptions.sameSignalMs}). A failure that no one caught is logged and stops the process too: no
 * one knows its state.
 */
export async function runMain(start: () => Promise<AsyncDisposable>, options: MainOptions = {}): Promise<void> {
  const { log, deadlineMs = 10_000, sameSignalMs = 1_000 } = options;
  const stop = Promise.withResolvers<void>();
  let stopping = false;
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const beginStop = () => {
    stopping = true;
    // Not cleared when all is disposed: something left open must not keep the process for ever.
    setTimeout(() => {
      log?.error({ deadlineMs }, 'did not stop within the deadline');
      process.exit(1);
    }, deadlineMs).unref();
    stop.resolve();
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (signal === first?.signal && performance.now() - first.at < sameSignalMs) return;
    if (stopping) process.exit(128 + (constants.signals[signal] ?? 0));
    first = { signal, at: performance.now() };
    log?.info({ signal }, 'stopping');
    beginStop();
  };
  const onFailure = (error: unknown) => {
    report(error, log, 'a failure that no one caught');
    if (stopping) process.exit(1);
    beginStop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('uncaughtException', onFailure).on('unhandledRejection', onFailure);
  try {
    const running = await start();
    await stop.promise;
    await running[Symbol.asyncDispose]();
  } catch (error) {
    // Before it serves and after it stopped, a message holds no user's data, and whoever starts a server needs it.
    report(error, log, `could not ${stopping ? 'stop' : 'start'}: ${error instanceof Error ? error.message : 'unknown reason'}`);
    if (!stopping) beginStop();
  }
}

function report(error: unknown, log: Logger | undefined, message: string): void {
  if (log) log.fatal({ err: error }, message);
  else console.error(message, error);
  process.exitCode = 1;
}
