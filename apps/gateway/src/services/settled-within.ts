import type { Clock } from '@nudge/server-kit';

/** Resolves when `work` does, or after `ms`; `work` does not reject. */
export async function settledWithin(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const waited = Promise.withResolvers<void>();
  const cancel = clock.after(ms, waited.resolve);
  await Promise.race([work, waited.promise]);
  cancel();
}
