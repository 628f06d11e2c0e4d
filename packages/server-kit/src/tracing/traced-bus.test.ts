import { expect, it } from 'vitest';
import { createLogger } from '../log.ts';
import type { BusMessage } from '../ports/bus.ts';
import { MemoryBus } from '../ports/memory/memory-bus.ts';
import { openTracer } from './open-tracer.ts';
import { RecentTraces } from './recent-traces.ts';
import { tracedBus } from './traced-bus.ts';
import { noTracer, type Tracer } from './tracer.ts';

const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const key: BusMessage = { kind: 'key', log: 'c/one', seq: 7 };

/** Remembers, and makes no spans. */
function rememberingTracer(): Tracer {
  const recent = new RecentTraces();
  return {
    ...noTracer,
    enabled: true,
    remember: (log, seq, of) => recent.remember(log, seq, of),
    recall: (log, seq) => recent.recall(log, seq),
  };
}

it('is the same bus, and no tracer, when nothing is traced', async () => {
  await using bus = new MemoryBus();
  const tracer = await openTracer(undefined, createLogger({ name: 'test' }));
  expect(tracer).toBe(noTracer);
  expect(tracedBus(bus, tracer)).toBe(bus);
});

it('gives a key the trace of exactly its seq, and tells the trace at the other end', async () => {
  await using carrier = new MemoryBus();
  const [sender, receiver] = [rememberingTracer(), rememberingTracer()];
  const heard: BusMessage[] = [];
  await tracedBus(carrier, receiver).subscribe('t', (message) => heard.push(message));
  sender.remember('c/one', 7, parent);
  const publish = (message: BusMessage) => tracedBus(carrier, sender).publish([{ topic: 't', message }]);
  await publish(key);
  await publish({ ...key, seq: 8 });
  await publish({ kind: 'user' });
  expect(heard).toEqual([{ ...key, traceparent: parent }, { ...key, seq: 8 }, { kind: 'user' }]);
  expect(receiver.recall('c/one', 7)).toBe(parent);
  expect(receiver.recall('c/one', 8)).toBeUndefined();
});

it('remembers the newest of each log, of a bounded number', () => {
  const recent = new RecentTraces(2);
  recent.remember('c/one', 7, parent);
  recent.remember('c/one', 6, 'older');
  expect(recent.recall('c/one', 7)).toBe(parent);
  recent.remember('c/two', 1, parent);
  recent.remember('c/three', 1, parent);
  expect(recent.recall('c/one', 7)).toBeUndefined();
});
