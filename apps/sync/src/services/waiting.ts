import { type Clock, NudgeError } from '@nudge/server-kit';

/** How long to wait, and what ends it early: the client going away. */
export interface Patience {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal?: AbortSignal;
}

/** When a pull that ran out of patience may be tried again, ms. */
export const CATCH_UP_RETRY_MS = 250;

/**
 * The outcome of `work`, unless the time runs out first. The work itself goes on: others may share it.
 *
 * @throws NudgeError `not_caught_up` after `patience.ms`
 * @throws the signal's reason once the client is gone
 */
export function within<T>(work: Promise<T>, { clock, ms, signal }: Patience): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const leave = (): void => settle(() => reject(signal?.reason));
  const cancel = clock.after(ms, () => settle(() => reject(new NudgeError('not_caught_up', { retryAfterMs: CATCH_UP_RETRY_MS }))));
  function settle(outcome: () => void): void {
    cancel();
    signal?.removeEventListener('abort', leave);
    outcome();
  }
  if (signal?.aborted === true) leave();
  else signal?.addEventListener('abort', leave, { once: true });
  work.then(
    (value) => settle(() => resolve(value)),
    (cause: unknown) => settle(() => reject(cause)),
  );
  return promise;
}

/** Resolves after `ms`, or at once when the client is gone. */
export function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted === true) resolve();
  const cancel = clock.after(ms, () => {
    signal?.removeEventListener('abort', leave);
    resolve();
  });
  function leave(): void {
    cancel();
    resolve();
  }
  signal?.addEventListener('abort', leave, { once: true });
  return promise;
}
