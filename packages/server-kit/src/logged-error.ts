import { NudgeError } from './errors.ts';

/** What is logged of an error. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  /** Call sites only. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const maxCauses = 5;

/**
 * An error for the log: its type, code and call sites. Its message only where it cannot quote data: our own errors, those of the operating
 * system and mistakes found by the engine. Parsers, drivers and databases quote what they were given.
 */
export function describeError(error: unknown, causes = maxCauses): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error };
  const message = safeMessage(error);
  const stack = callSites(error);
  return {
    type: error.constructor.name || error.name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(message === undefined ? {} : { message }),
    ...(stack === '' ? {} : { stack }),
    ...(error.cause === undefined || causes === 0 ? {} : { cause: describeError(error.cause, causes - 1) }),
  };
}

/** The message of a line that has none of its own. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? (safeMessage(error) ?? error.constructor.name) : '';
}

function safeMessage(error: Error): string | undefined {
  const own = error instanceof NudgeError || 'syscall' in error;
  const engine = error.constructor === TypeError || error.constructor === ReferenceError || error.constructor === RangeError;
  return own || engine ? error.message : undefined;
}

function callSites(error: Error): string {
  // The message may itself look like call sites, so it goes first.
  const stack = (error.stack ?? '').replace(error.message, () => '');
  return stack
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => line.trim())
    .join('\n');
}
