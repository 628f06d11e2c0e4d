import { type ErrorCode, errorRegistry, type Problem } from '@nudge/types';

/** One field at fault: `path` as `body.members.3`, `message` for people. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** What a domain error may say beyond its code. */
export interface NudgeErrorOptions {
  /** For the caller: what is wrong with this request. Never put a token or a body into it. */
  readonly detail?: string | undefined;
  /** When a retry may succeed, ms from now. */
  readonly retryAfterMs?: number | undefined;
  readonly issues?: readonly Issue[] | undefined;
  /** What led to it; for the log only. */
  readonly cause?: unknown;
}

/** A failure with a registered code. It knows no transport: the HTTP and socket edges turn it into an answer. */
export class NudgeError extends Error {
  override readonly name = 'NudgeError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly issues: readonly Issue[] | undefined;

  constructor(code: ErrorCode, options: NudgeErrorOptions = {}) {
    super(options.detail ?? errorRegistry[code].title, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
    this.issues = options.issues;
  }

  /** HTTP status of the code. */
  get status(): number {
    return errorRegistry[this.code].status;
  }

  /** Whether the same request may succeed later, unchanged. */
  get retryable(): boolean {
    return errorRegistry[this.code].retryable;
  }
}

/** Whether `code` is in the registry. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorRegistry, code);
}

/**
 * Any failure as one with a registered code. An error of another package keeps the code that it names as `problemCode` (and its
 * `retryAfterMs`), but not its message, which may quote data. Everything else is `internal`, its reason in `cause`.
 */
export function toNudgeError(error: unknown): NudgeError {
  if (error instanceof NudgeError) return error;
  if (error instanceof Error && 'problemCode' in error && isErrorCode(error.problemCode)) {
    const retryAfterMs = 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined;
    return new NudgeError(error.problemCode, { retryAfterMs, cause: error });
  }
  return new NudgeError('internal', { cause: error });
}

/** The answer to a failed request (RFC 9457). The detail of a 500 is hidden. */
export function toProblem(error: NudgeError, requestId: string): Problem {
  const { status, title, retryable } = errorRegistry[error.code];
  const shown = status !== 500;
  return {
    type: `urn:nudge:error:${error.code}`,
    title,
    status,
    ...(shown && error.detail !== undefined ? { detail: error.detail } : {}),
    code: error.code,
    retryable,
    requestId,
    ...(shown && error.issues !== undefined ? { issues: error.issues.map(({ path, message }) => ({ path, message })) } : {}),
  };
}
