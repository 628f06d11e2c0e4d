import type { Control, disconnectRegistry } from '@nudge/types';
import { backoffMs, RECONNECT_BACKOFF } from './backoff.ts';
import type { NudgeError } from './errors.ts';

/** A connection that lasted this long was a good one: the backoff starts over, ms. */
const STABLE_MS = 10_000;

type Code = (typeof disconnectRegistry)[keyof typeof disconnectRegistry];
/** From here on a disconnect code means: do not come back without a change. */
const FINAL_FROM: Code = 3500;
/** Codes whose change is a new token. */
const TOKEN_CODES: readonly number[] = [3500, 3501] satisfies Code[];
const TOKEN_ERRORS: readonly string[] = ['token_missing', 'token_invalid', 'token_expired', 'token_revoked'];

/** How a connection ended. */
export interface Ending {
  readonly error: Pick<NudgeError, 'code' | 'retryable' | 'retryAfterMs'>;
  /** What the server said before it closed (`control` of type `disconnect`), if it did. */
  readonly said: Pick<Control, 'code' | 'retryAfterMs'> | undefined;
  /** How long it was open, ms; 0 when it never was. */
  readonly openMs: number;
  /** Failures in a row before this one. */
  readonly attempt: number;
  /** Whether a new token can be had. */
  readonly renewable: boolean;
}

export type ReconnectPlan =
  | { readonly type: 'retry'; readonly afterMs: number; readonly attempt: number; readonly renewToken: boolean }
  | { readonly type: 'stop' };

/** Whether, when and with what to come back. */
export function planReconnect({ error, said, openMs, attempt, renewable }: Ending, random: number): ReconnectPlan {
  const code = said?.code ?? undefined;
  const tokenAtFault = code === undefined ? TOKEN_ERRORS.includes(error.code) : TOKEN_CODES.includes(code);
  const final = code === undefined ? !error.retryable : code >= FINAL_FROM;
  const renewToken = tokenAtFault && renewable;
  if (final && !renewToken) return { type: 'stop' };
  const next = openMs >= STABLE_MS ? 1 : attempt + 1;
  const atLeastMs = said?.retryAfterMs ?? error.retryAfterMs ?? 0;
  return { type: 'retry', afterMs: backoffMs(RECONNECT_BACKOFF, next, random, atLeastMs), attempt: next, renewToken };
}
