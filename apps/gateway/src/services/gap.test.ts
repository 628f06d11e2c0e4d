import { describe, expect, it } from 'vitest';
import { defaultGap, GapController, type LoadSample } from './gap.ts';

const idle: LoadSample = { utilisation: 0.02, delayMs: 0, waiting: 0 };
const full: LoadSample = { utilisation: 1, delayMs: 2, waiting: 100 };
const times = (gap: GapController, sample: LoadSample, count: number) => Array.from({ length: count }, () => gap.update(sample));

describe('gap', () => {
  it('is zero while the gateway idles', () => {
    expect(new Set(times(new GapController(defaultGap), idle, 50))).toEqual(new Set([0]));
  });

  it('grows to its maximum within a second of full load, without a jump to it', () => {
    const gaps = times(new GapController(defaultGap), full, 10);
    expect(gaps[0]).toBeLessThan(defaultGap.maxMs / 2);
    expect(gaps.at(-1)).toBeGreaterThan(defaultGap.maxMs * 0.9);
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b));
  });

  it('falls more slowly than it rises, and back to zero', () => {
    const gap = new GapController(defaultGap);
    const rising = times(gap, full, 100).findIndex((ms) => ms > defaultGap.maxMs * 0.9);
    const falling = times(gap, idle, 100);
    expect(falling.findIndex((ms) => ms < defaultGap.maxMs * 0.1)).toBeGreaterThan(rising);
    expect(falling.at(-1)).toBe(0);
  });

  it('does not tremble with small changes of the load', () => {
    const gap = new GapController(defaultGap);
    times(gap, { ...full, utilisation: 0.4 }, 100);
    const trembling = Array.from({ length: 50 }, (_, i) => gap.update({ ...full, utilisation: 0.4 + (i % 2 === 0 ? 0.01 : -0.01) }));
    expect(new Set(trembling).size).toBe(1);
  });

  it('takes a late event loop and a backlog for load too', () => {
    for (const sample of [
      { ...idle, delayMs: 500 },
      { ...idle, waiting: 50_000 },
    ]) {
      expect(times(new GapController(defaultGap), sample, 20).at(-1)).toBeGreaterThan(defaultGap.maxMs * 0.9);
    }
  });
});
