import { expect, it } from 'vitest';
import { EpochGuard, type IdentityReading } from './epoch.ts';
import { createLogger } from './log.ts';
import { eventually, ManualClock } from './testing/index.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const home = { systemIdentifier: '7', timeline: 1 };
const same: IdentityReading = { actual: home, recorded: home, recordedAt: '1' };
const promoted: IdentityReading = { actual: { ...home, timeline: 2 }, recorded: home, recordedAt: '1' };

function setup(first: IdentityReading) {
  const clock = new ManualClock();
  let reading: IdentityReading | undefined = first;
  let reads = 0;
  const settled: PromiseWithResolvers<void>[] = [];
  const guard = new EpochGuard({
    read: async () => {
      reads++;
      if (reading === undefined) throw new Error('away');
      return reading;
    },
    onSettled: () => {
      const wait = Promise.withResolvers<void>();
      settled.push(wait);
      return wait.promise;
    },
    clock,
    log,
  });
  return { clock, guard, settled, reads: () => reads, set: (next: IdentityReading | undefined) => (reading = next) };
}

it('refuses while the cluster is another, and serves again only after what was known of it has gone', async () => {
  const { clock, guard, settled, set } = setup(same);
  await using _ = guard;
  await guard.start();
  expect(guard.refusal).toBeUndefined();
  set(promoted);
  clock.advance(5_000);
  await eventually(() => guard.refusal);
  expect(guard.refusal).toMatch(/restored or promoted/);
  await eventually(() => clock.pending);
  set({ ...promoted, recorded: promoted.actual, recordedAt: '2' });
  clock.advance(5_000);
  await eventually(() => settled.length);
  expect(guard.refusal).toBeDefined();
  settled[0]?.resolve();
  await eventually(() => guard.refusal === undefined);
});

it('asks with new connections, once for many, and lives through a database that cannot be asked', async () => {
  const { guard, reads, set } = setup({ ...same, actual: { ...home, systemIdentifier: '8' } });
  await using _ = guard;
  await guard.start();
  expect(guard.refusal).toBeDefined();
  set(undefined);
  for (let i = 0; i < 20; i++) guard.recheck();
  await eventually(() => reads() === 3);
  expect(guard.refusal).toBeDefined();
});

it('does not start where the database cannot be asked', async () => {
  const { guard, set } = setup(same);
  set(undefined);
  await expect(guard.start()).rejects.toThrow('away');
});

it('drops what is held when all of it happened, and was settled, while it could not look', async () => {
  const { guard, settled, set } = setup(same);
  await using _ = guard;
  await guard.start();
  set({ actual: promoted.actual, recorded: promoted.actual, recordedAt: '2' });
  guard.recheck();
  await eventually(() => settled.length);
  expect(guard.refusal).toMatch(/read again/);
  settled[0]?.resolve();
  await eventually(() => guard.refusal === undefined);
  expect(settled).toHaveLength(1);
});

it('serves nothing from the moment an epoch is another, until what is held is dropped', async () => {
  const { guard, settled } = setup(same);
  await using _ = guard;
  await guard.start();
  guard.suspect();
  expect(guard.refusal).toMatch(/read again/);
  await eventually(() => settled.length);
  settled[0]?.resolve();
  await eventually(() => guard.refusal === undefined);
});
