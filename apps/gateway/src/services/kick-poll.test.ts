import { createLogger } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import { KickPoll, type SessionKick } from './kick-poll.ts';

/** A primary whose clock is ahead of this process by `aheadMs`. */
function setUp(aheadMs: number) {
  const clock = new ManualClock();
  const began = clock.now();
  const rows: SessionKick[] = [];
  const asked: (number | null)[] = [];
  const told: [string, number][] = [];
  const primary = { answers: true };
  const poll = new KickPoll({
    clock,
    log: createLogger({ name: 'test', level: 'silent' }),
    everyMs: 5_000,
    async load(since) {
      asked.push(since === null ? null : since - began - aheadMs);
      if (!primary.answers) throw new Error('away');
      return { rows: since === null ? [] : rows.filter(({ at }) => at >= since), readAt: clock.now() + aheadMs };
    },
    onKick: ({ id }, before) => told.push([id, before - began]),
  });
  const kick = (id: string, agoMs = 0) => {
    const which = { sessionId: null, exceptId: null, deviceId: null };
    rows.push({ id, appId: 'app', userId: 'ann', ...which, at: clock.now() + aheadMs - agoMs });
  };
  return { clock, poll, kick, asked, told, primary };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

it.each([0, 3_600_000, -3_600_000])('tells of each once, at its time by the clock here, when the primary is %d ms ahead', async (ahead) => {
  const { clock, poll, kick, asked, told } = setUp(ahead);
  kick('before the gateway was');
  await poll.start();
  clock.advance(1_000);
  kick('a');
  clock.advance(4_000);
  await turn();
  // Begun before the last read and visible only after it.
  kick('late', 7_000);
  for (let i = 0; i < 10; i++) {
    clock.advance(5_000);
    await turn();
  }
  expect(asked.slice(0, 3)).toEqual([null, -30_000, -25_000]);
  expect(told).toEqual([
    ['before the gateway was', 0],
    ['a', 1_000],
    ['late', -2_000],
  ]);
  await poll.stop();
  expect(clock.pending).toBe(0);
});

it('goes on where it was when the primary did not answer', async () => {
  const { clock, poll, kick, told, asked, primary } = setUp(0);
  await poll.start();
  primary.answers = false;
  clock.advance(1_000);
  kick('a');
  for (let i = 0; i < 20; i++) {
    clock.advance(5_000);
    await turn();
  }
  expect(told).toEqual([]);
  primary.answers = true;
  clock.advance(5_000);
  await turn();
  expect(told).toEqual([['a', 1_000]]);
  expect(new Set(asked.slice(1))).toEqual(new Set([-30_000]));
  await poll.stop();
});
