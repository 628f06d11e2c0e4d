import { expect, it } from 'vitest';
import { ManualClock } from './manual-clock.ts';

it('runs what falls due in order, each at its own time, also what is armed on the way', () => {
  const clock = new ManualClock(0);
  const ran: [string, number][] = [];
  clock.after(20, () => ran.push(['b', clock.now()]));
  clock.after(10, () => {
    ran.push(['a', clock.now()]);
    clock.after(5, () => ran.push(['a2', clock.now()]));
  });
  const cancel = clock.after(15, () => ran.push(['never', clock.now()]));
  cancel();
  clock.after(31, () => ran.push(['later', clock.now()]));
  clock.advance(30);
  expect(ran).toEqual([
    ['a', 10],
    ['a2', 15],
    ['b', 20],
  ]);
  expect(clock.now()).toBe(30);
  expect(clock.pending).toBe(1);
});
