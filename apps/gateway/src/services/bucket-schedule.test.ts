import { ManualClock } from '@nudge/server-kit/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketSchedule } from './bucket-schedule.ts';

describe('bucket schedule', () => {
  it('hands everything out, never early and at most one granularity late, on one timer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ in: fc.nat(5_000), removed: fc.boolean() }), { maxLength: 100, size: 'max' }),
        fc.array(fc.nat(700), { maxLength: 30, size: 'max' }),
        (items, steps) => {
          const clock = new ManualClock();
          const granularity = 100;
          const out = new Map<number, number>();
          const schedule = new BucketSchedule<number>(clock, granularity, (due) => {
            for (const item of due) out.set(item, clock.now());
          });
          const start = clock.now();
          for (const [i, item] of items.entries()) {
            schedule.add(i, start + item.in);
            expect(clock.pending).toBeLessThanOrEqual(1);
          }
          for (const [i, item] of items.entries()) if (item.removed) schedule.remove(i, start + item.in);
          for (const step of [...steps, 6_000]) clock.advance(step);
          for (const [i, item] of items.entries()) {
            const at = out.get(i);
            if (item.removed) {
              expect(at).toBeUndefined();
            } else {
              expect((at ?? 0) - start).toBeGreaterThanOrEqual(item.in);
              expect((at ?? 0) - start).toBeLessThanOrEqual(item.in + granularity);
            }
          }
          expect(clock.pending).toBe(0);
          expect(schedule.size).toBe(0);
        },
      ),
    );
  });
});
