import { expect, it } from 'vitest';
import { busConformance } from '../../testing/index.ts';
import { MemoryBus } from './memory-bus.ts';

busConformance(() => new MemoryBus());

it('delivers before publish returns', async () => {
  await using bus = new MemoryBus();
  let heard = 0;
  await bus.subscribe('t', () => heard++);
  const published = bus.publish([{ topic: 't', message: { kind: 'key', log: 'c/1', seq: 1 } }]);
  expect(heard).toBe(1);
  await published;
});

it('bounds what listeners may cause, and lives on', async () => {
  await using bus = new MemoryBus();
  const message = { kind: 'key', log: 'c/1', seq: 1 } as const;
  let refusal: unknown;
  await bus.subscribe('t', () => {
    bus.publish(Array.from({ length: 200_000 }, () => ({ topic: 'u', message }))).catch((error: unknown) => {
      refusal = error;
    });
  });
  await bus.publish([{ topic: 't', message }]);
  await Promise.resolve();
  expect(refusal).toBeInstanceOf(Error);
  let heard = 0;
  await bus.subscribe('v', () => heard++);
  await bus.publish([{ topic: 'v', message }]);
  expect(heard).toBe(1);
});

it('tells of interruptions, shielding each listener, and forgets topics that no one hears', async () => {
  await using bus = new MemoryBus();
  const told: string[] = [];
  bus.onInterruption(() => {
    throw new Error('a broken listener');
  });
  const leave = bus.onInterruption(() => told.push('leaves'));
  bus.onInterruption(() => told.push('stays'));
  bus.interrupt();
  leave();
  bus.interrupt();
  expect(told).toEqual(['leaves', 'stays', 'stays']);
  const unsubscribe = await bus.subscribe('t', () => undefined);
  expect(bus.topicCount).toBe(1);
  unsubscribe();
  expect(bus.topicCount).toBe(0);
});
