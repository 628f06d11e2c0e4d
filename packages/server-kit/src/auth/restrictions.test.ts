import { describe, expect, it } from 'vitest';
import type { Clock } from '../clock.ts';
import { createLogger } from '../log.ts';
import { eventually, ManualClock } from '../testing/index.ts';
import { type Restriction, Restrictions } from './restrictions.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const none = { appId: 'app', userId: 'ann', validAfter: null, bannedUntil: null };

function setup(first: readonly Restriction[] = []) {
  const clock = new ManualClock();
  let rows = first;
  let down = false;
  const asked: (number | null)[] = [];
  const restrictions = new Restrictions({
    load: async (since) => {
      asked.push(since);
      if (down) throw new Error('away');
      return { rows, readAt: clock.now() };
    },
    tokenLifetimeMs: 86_400_000,
    clock,
    log,
  });
  /** Lets the next read happen. */
  const poll = async () => {
    const before = asked.length;
    clock.advance(5_000);
    await eventually(() => asked.length > before && clock.pending > 0);
  };
  return {
    clock,
    restrictions,
    asked,
    poll,
    set: (next: readonly Restriction[]) => (rows = next),
    fail: (value: boolean) => (down = value),
  };
}

describe('Restrictions', () => {
  it('reads everything once, then what changed since shortly before the last read', async () => {
    const { clock, restrictions, asked, poll } = setup();
    await using _ = restrictions;
    const start = clock.now();
    await restrictions.start();
    await poll();
    await poll();
    expect(asked).toEqual([null, start - 30_000, start - 25_000]);
  });

  it('refuses tokens issued before the cut-off, and only those of that user', async () => {
    const { clock, restrictions, poll, set } = setup();
    await using _ = restrictions;
    await restrictions.start();
    const cut = clock.now() + 1_500;
    expect(restrictions.isRevoked('app', 'ann', cut - 1)).toBe(false);
    set([{ ...none, validAfter: cut }]);
    await poll();
    expect(restrictions.isRevoked('app', 'ann', cut - 1)).toBe(true);
    expect(restrictions.isRevoked('app', 'ann', cut)).toBe(false);
    expect(restrictions.isRevoked('other', 'ann', cut - 1)).toBe(false);
    expect(restrictions.isRevoked('app', 'bob', cut - 1)).toBe(false);
  });

  it('tells of each change once, though it is read again and again; a ban takes every token', async () => {
    const { clock, restrictions, poll, set } = setup();
    await using _ = restrictions;
    await restrictions.start();
    const told: unknown[] = [];
    restrictions.onChange(() => {
      throw new Error('a broken listener');
    });
    restrictions.onChange((...change) => told.push(change));
    const cut = clock.now();
    set([{ ...none, validAfter: cut }]);
    await poll();
    await poll();
    expect(told).toEqual([['app', 'ann', cut]]);
    restrictions.apply({ ...none, validAfter: cut, bannedUntil: Number.POSITIVE_INFINITY });
    restrictions.apply({ ...none, validAfter: cut });
    expect(told).toEqual([
      ['app', 'ann', cut],
      ['app', 'ann', Number.POSITIVE_INFINITY],
    ]);
  });

  it('refuses banned users until their time, and no longer when the ban is lifted', async () => {
    const { clock, restrictions } = setup([{ ...none, bannedUntil: Date.UTC(2026, 0, 1) + 60_000 }]);
    await using _ = restrictions;
    await restrictions.start();
    const judge = () => restrictions.judge({ appId: 'app', userId: 'ann' });
    expect(judge).toThrow(expect.objectContaining({ code: 'user_banned' }));
    expect(() => restrictions.judge({ appId: 'app', userId: 'bob' })).not.toThrow();
    restrictions.apply({ ...none, bannedUntil: null });
    expect(judge).not.toThrow();
    restrictions.apply({ ...none, bannedUntil: clock.now() - 1 });
    expect(judge).not.toThrow();
  });

  it('is stale ten seconds after its last success, and fresh again with the next', async () => {
    const { clock, restrictions, poll, fail } = setup();
    await using _ = restrictions;
    expect(restrictions.isFresh()).toBe(false);
    await restrictions.start();
    fail(true);
    await poll();
    await poll();
    expect(restrictions.isFresh()).toBe(true);
    clock.advance(1);
    expect(restrictions.isFresh()).toBe(false);
    fail(false);
    await poll();
    expect(restrictions.isFresh()).toBe(true);
  });

  it('is not made fresh by a clock that is set back', async () => {
    const manual = new ManualClock();
    let setBackMs = 0;
    const clock: Clock = { now: () => manual.now() - setBackMs, after: (ms, fn) => manual.after(ms, fn) };
    await using restrictions = new Restrictions({
      load: async () => ({ rows: [], readAt: clock.now() }),
      tokenLifetimeMs: 1_000,
      clock,
      log,
    });
    await restrictions.start();
    expect(restrictions.isFresh()).toBe(true);
    setBackMs = 3_600_000;
    expect(restrictions.isFresh()).toBe(false);
  });

  it('forgets what speaks against nobody any more', async () => {
    const { clock, restrictions, poll, set } = setup([{ ...none, validAfter: Date.UTC(2026, 0, 1) }]);
    await using _ = restrictions;
    await restrictions.start();
    set([]);
    expect(restrictions.size).toBe(1);
    clock.advance(86_400_000);
    await eventually(() => clock.pending > 0);
    await poll();
    expect(restrictions.size).toBe(0);
  });
});
