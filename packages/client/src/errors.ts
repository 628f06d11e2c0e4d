import type { ErrorCode } from '@nudge/types';

/**
 * Failures that never came from the server: `network` (no answer; whether the request took effect is unknown), `timeout` (the same),
 * `bad_answer` (an answer that is not of the contract, such as a proxy's page), `aborted` and `closed` (given up on this side),
 * `no_token` (`getToken` failed), `user_changed` (a token of another user), `disconnected` (no socket).
 */
export type LocalErrorCode = 'network' | 'timeout' | 'bad_answer' | 'aborted' | 'closed' | 'no_token' | 'user_changed' | 'disconnected';

/** Every failure this package rejects with. */
export class NudgeError extends Error {
  override readonly name = 'NudgeError';
  readonly code: ErrorCode | LocalErrorCode;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** HTTP status, where there was one. */
  readonly status: number | undefined;
  /** The server asks to wait at least this long, ms. */
  readonly retryAfterMs: number | undefined;
  /** Finds the server's log line. */
  readonly requestId: string | undefined;

  constructor(
    code: ErrorCode | LocalErrorCode,
    message: string,
    details: { retryable: boolean; status?: number; retryAfterMs?: number | undefined; requestId?: string; cause?: unknown },
  ) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.retryable = details.retryable;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
  }
}

/** Anything thrown, as a {@link NudgeError}. */
export function asNudgeError(error: unknown): NudgeError {
  if (error instanceof NudgeError) return error;
  return new NudgeError('network', error instanceof Error ? error.message : 'request failed', { retryable: true, cause: error });
}
