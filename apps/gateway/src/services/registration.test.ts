import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import type { PresenceService } from './presence.ts';
import { Registration } from './registration.ts';

it('begins again when records are lost just as it ends', async () => {
  const clock = new ManualClock();
  let looks = 0;
  const all = () => {
    looks++;
    return [];
  };
  const registration = new Registration({ sessions: { all }, presence: {} as PresenceService, clock, spreadMs: 1_000 });
  registration.lost();
  clock.advance(1_000);
  expect(looks).toBe(1);
  registration.lost();
  await nextTurn();
  clock.advance(1_000);
  expect(looks).toBe(2);
  await nextTurn();
  clock.advance(10_000);
  expect(looks).toBe(2);
  await registration.stop();
});
