import { createLogger } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { OutboxCleaner, type OutboxKey } from './outbox-cleaner.ts';

const row = (id: string): OutboxKey => ({ conversationId: 'conv', id });

function setUp(): {
  clock: ManualClock;
  cleaner: OutboxCleaner;
  calls: PromiseWithResolvers<void>[];
  removed: string[][];
} {
  const clock = new ManualClock();
  const calls: PromiseWithResolvers<void>[] = [];
  const removed: string[][] = [];
  const cleaner = new OutboxCleaner({
    remove: (rows) => {
      removed.push(rows.map(({ id }) => id));
      const call = Promise.withResolvers<void>();
      calls.push(call);
      return call.promise;
    },
    clock,
    log: createLogger({ name: 'test', level: 'silent' }),
    delayMs: 100,
    maxRows: 3,
  });
  return { clock, cleaner, calls, removed };
}

describe('the outbox cleaner', () => {
  it('deletes after its delay what has gathered, or at once when enough has', () => {
    const { clock, cleaner, removed } = setUp();
    cleaner.done(row('a'));
    cleaner.done(row('b'));
    clock.advance(99);
    expect(removed).toEqual([]);
    clock.advance(1);
    expect(removed).toEqual([['a', 'b']]);
    const full = setUp();
    for (const id of ['a', 'b', 'c']) full.cleaner.done(row(id));
    expect(full.removed).toEqual([['a', 'b', 'c']]);
    expect(full.clock.pending).toBe(0);
  });

  it('has one deletion at a time, and none left after a flush', async () => {
    const { cleaner, calls, removed } = setUp();
    for (const id of ['a', 'b', 'c', 'd']) cleaner.done(row(id));
    expect(removed).toEqual([['a', 'b', 'c']]);
    const flushed = cleaner.flush();
    calls[0]?.resolve();
    await new Promise(setImmediate);
    expect(removed).toEqual([['a', 'b', 'c'], ['d']]);
    calls[1]?.resolve();
    await flushed;
  });

  it('goes on after a failure: the rows are left to the sweeper', async () => {
    const { cleaner, calls, removed } = setUp();
    cleaner.done(row('a'));
    const flushed = cleaner.flush();
    calls[0]?.reject(new Error('the database is down'));
    await flushed;
    cleaner.done(row('b'));
    void cleaner.flush();
    expect(removed).toEqual([['a'], ['b']]);
  });
});
