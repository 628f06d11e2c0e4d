import { setImmediate as settled } from 'node:timers/promises';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { Loop } from './loop.ts';

/** Moves the time on and lets what that began come to rest. */
async function advance(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await settled();
}

describe('a loop', () => {
  it('makes the next pass when the one before asked for it, and rests after one that failed', async () => {
    const clock = new ManualClock();
    const errors: unknown[] = [];
    const answers = [
      () => Promise.resolve(100),
      () => Promise.reject(new Error('no')),
      () => Promise.resolve(0),
      () => Promise.resolve(50),
    ];
    let passes = 0;
    await using loop = new Loop({
      clock,
      restMs: 1_000,
      onError: (error) => errors.push(error),
      pass: () => answers[passes++]?.() ?? Promise.resolve(1_000_000),
    });
    loop.start();
    await advance(clock, 0);
    expect(passes).toBe(1);
    await advance(clock, 99);
    expect(passes).toBe(1);
    await advance(clock, 1);
    expect([passes, errors.length]).toEqual([2, 1]);
    await advance(clock, 999);
    expect(passes).toBe(2);
    await advance(clock, 1);
    await advance(clock, 0);
    expect(passes).toBe(4);
    await advance(clock, 50);
    expect(passes).toBe(5);
  });

  it('waits when it is disposed for the pass that runs, and makes no other', async () => {
    const clock = new ManualClock();
    const { promise, resolve } = Promise.withResolvers<number>();
    let passes = 0;
    const loop = new Loop({
      clock,
      restMs: 1,
      onError: () => undefined,
      pass: () => {
        passes += 1;
        return promise;
      },
    });
    loop.start();
    await advance(clock, 0);
    let ended = false;
    const disposed = loop[Symbol.asyncDispose]().then(() => {
      ended = true;
    });
    await advance(clock, 1_000);
    expect(ended).toBe(false);
    resolve(0);
    await disposed;
    await advance(clock, 1_000);
    expect(passes).toBe(1);
  });
});
