import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitOptions {
  /** Milliseconds until it gives up; 10,000 when left out. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks; 20 when left out. */
  readonly intervalMs?: number;
}

type Nothing = undefined | null | false;

/**
 * Looks again and again until `check` answers with something, and returns that. A check that throws
 * counts as "not yet". When time is up the error names what was waited for and what was seen last.
 * @param what completes the sentence "waited for ..."
 */
export async function waitFor<T>(
  what: string,
  check: () => T | Nothing | Promise<T | Nothing>,
  { timeoutMs = 10_000, intervalMs = 20 }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let isLast = false; ; ) {
    let seen: T | Nothing;
    let thrown: unknown;
    try {
      seen = await check();
      if (seen !== undefined && seen !== null && seen !== false) return seen;
    } catch (error) {
      thrown = error;
    }
    if (isLast) {
      const last =
        thrown === undefined ? `saw ${inspect(seen)}` : `the check failed: ${thrown instanceof Error ? thrown.message : inspect(thrown)}`;
      throw new Error(`waited ${timeoutMs} ms for ${what}; at last ${last}`, { cause: thrown });
    }
    // Where this process stood still until the deadline, what came meanwhile is only read now: one more look.
    isLast = performance.now() >= deadline;
    await delay(intervalMs);
  }
}
