import { ManualClock } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import { CountableTypes } from './countable-types.ts';

it('counts messages without asking, custom types as the settings say, read again when they are too old', async () => {
  const clock = new ManualClock();
  let loads = 0;
  let types = ['custom.poll'];
  const countable = new CountableTypes({
    load: async () => {
      loads += 1;
      return types;
    },
    clock,
    maxAgeMs: 5_000,
  });
  expect(countable.isCountable('app', 'message')).toBe(true);
  expect(await Promise.all([countable.isCountable('app', 'custom.poll'), countable.isCountable('app', 'custom.ping')])).toEqual([
    true,
    false,
  ]);
  expect(countable.isCountable('app', 'custom.poll')).toBe(true);
  expect(loads).toBe(1);
  types = ['custom.ping'];
  clock.advance(5_001);
  expect(await countable.isCountable('app', 'custom.ping')).toBe(true);
  expect(loads).toBe(2);
});
