import type { Session } from 'node:inspector/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { NudgeError } from '../errors.ts';

/** `cpu`: where time goes, a `.cpuprofile`. `heap`: who allocates what stays, sampled, a `.heapprofile`. DevTools and editors open both. */
export const profileKinds = ['cpu', 'heap'] as const;
export type ProfileKind = (typeof profileKinds)[number];

/** What one profile may cost: V8 keeps its samples in memory until the end. Seconds. */
export const maxProfileSeconds = 60;

/** Begins to watch; what it returns stops and gives out the profile. */
type Begin = (session: Session) => Promise<() => Promise<unknown>>;

const begin: Readonly<Record<ProfileKind, Begin>> = {
  async cpu(session) {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    return async () => (await session.post('Profiler.stop')).profile;
  },
  async heap(session) {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling');
    return async () => (await session.post('HeapProfiler.stopSampling')).profile;
  },
};

/** Profiles of this process, one at a time. V8's inspector is loaded with the first one; nothing is there before, nothing runs between two. */
export class Profiler {
  #endsAt: number | undefined;

  /**
   * Watches the process for so many seconds.
   * @param signal ends it early; its reason is thrown
   * @returns the profile as JSON text
   * @throws `rate_limited` while another one is being taken
   */
  async take(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const now = performance.now();
    if (this.#endsAt !== undefined) {
      throw new NudgeError('rate_limited', {
        detail: 'another profile of this process is being taken: one at a time',
        retryAfterMs: Math.max(1_000, this.#endsAt - now),
      });
    }
    this.#endsAt = now + seconds * 1_000;
    try {
      const inspector = await import('node:inspector/promises');
      const session = new inspector.Session();
      session.connect();
      try {
        const finish = await begin[kind](session);
        await pause(seconds, signal);
        return JSON.stringify(await finish());
      } finally {
        // Also ends what runs in it.
        session.disconnect();
      }
    } finally {
      this.#endsAt = undefined;
    }
  }
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(seconds * 1_000, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
